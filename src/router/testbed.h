#pragma once

// The world of the router's tests: real workers on loopback, instances whose behaviour a test writes down,
// and clients that say exactly these bytes. Blocking calls give up after 10 s, so that a fault fails and does
// not hang.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "net/socket.h"
#include "router/fleet.h"
#include "router/worker.h"

namespace holdall::router::testbed {

/// A blocking socket.
class Wire {
 public:
  explicit Wire(Fd fd) : fd_(std::move(fd)) {
    fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) & ~O_NONBLOCK);
    timeval patience{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  static Wire to(std::uint16_t port) {
    return Wire(net::connect({"127.0.0.1", port, ""}, Deadline::after(std::chrono::seconds(10))));
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Up to and with `end`; what there was, if the stream ends first.
  std::string until(std::string_view end) {
    std::size_t found, searched = 0;
    while ((found = input_.find(end, searched)) == std::string::npos) {
      searched = input_.size() < end.size() ? 0 : input_.size() - end.size();
      if (!more()) break;
    }
    return take(found == std::string::npos ? input_.size() : found + end.size());
  }
  std::string head() { return until("\r\n\r\n"); }
  std::string exactly(std::size_t size) {
    while (input_.size() < size && more()) {
    }
    return take(std::min(size, input_.size()));
  }
  std::string rest() {
    while (more()) {
    }
    return take(input_.size());
  }
  /// The peer has closed, in whatever way, and all was read.
  bool at_end() { return input_.empty() && !more(); }
  void half_close() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  /// Sends a reset, but keeps the descriptor, which another thread may be using.
  void reset() {
    sockaddr nothing{};
    nothing.sa_family = AF_UNSPEC;
    checked(::connect(fd_.get(), &nothing, sizeof nothing), "reset a connection");
  }
  int fd() const { return fd_.get(); }
  bool was_reset() const { return reset_; }

 private:
  bool more() {
    char bytes[16 << 10];
    ssize_t got = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got < 0 && errno == ECONNRESET) reset_ = true;
    if (got > 0) input_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t size) {
    std::string taken = input_.substr(0, size);
    input_.erase(0, size);
    return taken;
  }

  Fd fd_;
  std::string input_;
  bool reset_ = false;
};

inline std::uint16_t port_of(const Fd& listener) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  return net::address_of(storage).port;
}

/// An instance: `talk` has each connection, in a thread of its own, with its number from 0.
class Instance {
 public:
  using Talk = std::function<void(Wire&, int)>;
  explicit Instance(Talk talk) : talk_(std::move(talk)), listener_(net::listen({"127.0.0.1", 0, ""})) {
    port_ = port_of(listener_);
    fcntl(listener_.get(), F_SETFL, fcntl(listener_.get(), F_GETFL) & ~O_NONBLOCK);
    accepting_ = std::jthread([this] { accept_all(); });
  }
  ~Instance() { stop(); }

  /// Refuses from now on, and cuts what is open.
  void stop() {
    shutdown(listener_.get(), SHUT_RDWR);
    if (accepting_.joinable()) accepting_.join();
    {
      std::lock_guard lock(mutex_);
      for (Wire& wire : wires_) shutdown(wire.fd(), SHUT_RDWR);
    }
    talking_.clear();
    listener_.reset();
  }
  std::uint16_t port() const { return port_; }
  int connections() {
    std::lock_guard lock(mutex_);
    return static_cast<int>(wires_.size());
  }

 private:
  void accept_all() {
    for (;;) {
      Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      std::lock_guard lock(mutex_);
      Wire& wire = wires_.emplace_back(std::move(fd));
      int number = static_cast<int>(wires_.size()) - 1;
      talking_.emplace_back([this, &wire, number] {
        talk_(wire, number);
        shutdown(wire.fd(), SHUT_RDWR);  // closed with the instance, so that no number is used twice
      });
    }
  }

  Talk talk_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::list<Wire> wires_;
  std::list<std::jthread> talking_;
  std::jthread accepting_;
};

inline std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
/// Answers every request with its body, and closes when the router does.
inline Instance::Talk answers(const std::string& body) {
  return [body](Wire& wire, int) {
    while (!wire.head().empty() && wire.send(ok(body))) {
    }
  };
}

inline std::string get(std::string_view path = "/", std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: app.test\r\n" + std::string(more) + "\r\n";
}

struct Answer {
  std::string head, body;
  int status() const { return head.size() > 12 ? std::stoi(head.substr(9, 3)) : 0; }
};
/// Reads one answer with a Content-Length.
inline Answer read_answer(Wire& wire) {
  Answer answer;
  answer.head = wire.head();
  std::size_t at = answer.head.find("Content-Length: ");
  if (at != std::string::npos) answer.body = wire.exactly(std::stoul(answer.head.substr(at + 16)));
  return answer;
}
inline Answer ask(std::uint16_t port, std::string_view request = get()) {
  Wire wire = Wire::to(port);
  wire.send(request);
  return read_answer(wire);
}

/// Workers that serve a table with one pool, "app/web", at app.test, and at `detect` and `tcp` listeners too.
class Bench {
 public:
  explicit Bench(Limits limits = {}, std::size_t workers = 1) : fleet(workers) {
    for (const char* name : {"http", "detect", "tcp"}) {
      sockets_.emplace(name, net::listen({"127.0.0.1", 0, ""}));
      listening_.emplace(name, sockets_.at(name).get());
    }
    for (std::size_t i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(i, limits, fleet.counters(""), dropped));
    }
    pool.name = "app/web";
  }
  ~Bench() { workers_.clear(); }

  std::uint16_t port(const char* name = "http") const { return port_of(sockets_.at(name)); }

  /// The pool's targets from now on; the first is "i0" of release "app/v1", and so on.
  void serve(const std::vector<std::uint16_t>& ports) {
    pool.targets.clear();
    for (std::uint16_t port : ports) pool.targets.push_back(target(port));
    serve_pool();
  }
  static Target target(std::uint16_t port) {
    return {InstanceId{"i" + std::to_string(port)}, {"127.0.0.1", port, ""}, "app/v" + std::to_string(port)};
  }
  void serve_pool() {
    RouteTable table;
    table.version = ++version_;
    table.routes = {{"app.test", "/", false, pool.name}, {"app.test", "/strip", true, pool.name}};
    table.pools = {pool};
    table.listeners = {{"http", {"127.0.0.1", 80, ""}, Listener::http, ""},
                       {"detect", {"127.0.0.1", 81, ""}, Listener::detect, pool.name, detect_is_internal},
                       {"tcp", {"127.0.0.1", 82, ""}, Listener::tcp, pool.name}};
    auto snapshot = fleet.compile(table);
    on_all([&](Worker& worker, const auto& done) { worker.serve(snapshot, listening_, done); });
    fleet.forget_unused();
  }
  std::size_t cut(const std::vector<LiveTarget*>& targets) {
    std::size_t all = 0;
    on_all([&](Worker& worker, const auto& done) {
      worker.cut(targets, [&, done](std::size_t count) {
        all += count;
        done();
      });
    });
    return all;
  }
  void log_to(int pipe) {
    for (auto& worker : workers_) worker->log_to(pipe);
  }
  void on_all(const std::function<void(Worker&, std::function<void()>)>& tell) {
    for (auto& worker : workers_) {
      std::promise<void> told;
      tell(*worker, [&] { told.set_value(); });
      told.get_future().wait();
    }
  }
  /// Of all releases together.
  Counters::PerRelease counted() {
    Counters::PerRelease all;
    for (auto& [release, one] : fleet.counted()) {
      all.served += one.served;
      all.app_5xx += one.app_5xx;
      all.cut += one.cut;
      all.left += one.left;
      all.maintenance += one.maintenance;
      for (auto& [cause, count] : one.failed) all.failed[cause] += count;
    }
    return all;
  }
  /// Waits until the counters say so: they are written by another thread.
  bool comes(const std::function<bool(Counters::PerRelease&)>& so) {
    return eventually([&] {
      Counters::PerRelease now = counted();
      return so(now);
    });
  }
  static bool eventually(const std::function<bool()>& so) {
    Deadline deadline = Deadline::after(std::chrono::seconds(10));
    while (!so()) {
      if (deadline.passed()) return false;
      poll(nullptr, 0, 1);
    }
    return true;
  }

  std::atomic<std::uint64_t> dropped = 0;
  Fleet fleet;
  Pool pool;
  bool detect_is_internal = false;

 private:
  std::map<std::string, Fd> sockets_;
  Worker::Sockets listening_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::uint64_t version_ = 0;
};

}  // namespace holdall::router::testbed
