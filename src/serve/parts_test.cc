// The parts that this test binary plays when serve starts it as control or router. Each connects to the
// test's socket, says who it is, and does what the test tells it, a line of JSON at a time.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "net/handover.h"
#include "net/socket.h"
#include "serve/lines_test.h"
#include "serve/serve.h"

std::optional<int> play_part(int argc, char** argv);

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

std::string byte_of(const Fd& pipe) {
  char byte;
  return read(pipe.get(), &byte, 1) == 1 ? std::string(1, byte) : "";
}

Json ask_parent(ParentLink& parent, const Json& order) {
  const std::string& what = order.at("do").string();
  if (what == "bind")
    parent.bind(order.at("name").string(), net::parse_address(order.at("address").string()));
  if (what == "keep_only") parent.keep_only({order.at("name").string()});
  if (what == "keep_table") parent.keep_table(sealed_memfd("table", order.at("text").string()));
  if (what == "drop_output") parent.drop_output("i");
  if (what == "exit") parent.exit();
  if (what == "ready") parent.ready();
  if (what == "keep_output") {
    Pipe out = make_pipe(0), err = make_pipe(0);
    write_all(out.write.get(), "o");
    write_all(err.write.get(), "e");
    parent.keep_output("i", out.read, err.read);
  }
  if (what == "take_output") {
    auto pipes = parent.take_output("i");
    return pipes ? Json(byte_of(pipes->first) + byte_of(pipes->second)) : Json();
  }
  if (what == "hear_router") {
    pollfd news{parent.news_descriptor(), POLLIN, 0};
    for (;;) {
      if (poll(&news, 1, 10'000) != 1) return {};
      auto routers = parent.router_news();
      if (routers.links.empty()) continue;
      auto said = net::receive(routers.links.back(), Deadline::after(10s));
      return said ? said->body.at("pid") : Json();
    }
  }
  if (what == "orphan") {
    // A child of a child that ends: serve inherits it.
    Pipe told = make_pipe(0);
    pid_t middle = fork();
    if (middle == 0) {
      pid_t orphan = fork();
      if (orphan == 0) {
        for (;;) pause();
      }
      write_all(told.write.get(), std::to_string(orphan) + "\n");
      _exit(0);
    }
    waitpid(middle, nullptr, 0);
    char digits[16] = {};
    checked(static_cast<int>(read(told.read.get(), digits, sizeof digits - 1)), "read a pid");
    return std::stoi(digits);
  }
  return "ok";
}

int play_control(const char* stage) {
  Lines lines(net::connect({"", 0, stage}, Deadline::after(10s)));
  ParentLink parent{Fd(3)};
  lines.say(Json::object({{"part", "control"}, {"pid", getpid()}}));
  for (;;) {
    std::array<pollfd, 2> waiting{pollfd{lines.descriptor(), POLLIN, 0},
                                  pollfd{parent.descriptor(), POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) return 1;
    if (waiting[1].revents) return 0;
    auto order = lines.hear();
    if (!order) return 0;
    if (order->at("do").string() == "fail") return static_cast<int>(order->at("code").integer());
    try {
      lines.say(Json::object({{"answer", ask_parent(parent, *order)}}));
    } catch (const Error& error) {
      lines.say(Json::object({{"error", error.what()}, {"kind", name(error.kind())}}));
    }
  }
}

/// A control without a ParentLink: says to serve just what the test says, and tells what serve answers.
int play_stranger(const char* stage) {
  Lines lines(net::connect({"", 0, stage}, Deadline::after(10s)));
  const Fd parent(3);
  lines.say(Json::object({{"part", "control"}, {"pid", getpid()}}));
  while (auto order = lines.hear()) {
    net::send(parent, *order, {}, Deadline::after(10s));
    for (;;) {
      auto answer = net::receive(parent, Deadline::after(10s));
      if (answer && answer->body.at("type") == Json("router")) continue;
      lines.say(answer ? answer->body : Json());
      break;
    }
  }
  return 0;
}

/// Tells the test what serve sends; answers one connection of `accept`'s listener; writes `log`'s line.
class Router {
 public:
  explicit Router(const char* stage) : lines_(net::connect({"", 0, stage}, Deadline::after(10s))) {}

  int play() {
    lines_.say(Json::object({{"part", "router"}, {"pid", getpid()}}));
    for (;;) {
      std::array<pollfd, 2> waiting{pollfd{lines_.descriptor(), POLLIN, 0}, pollfd{parent_.get(), POLLIN, 0}};
      if (poll(waiting.data(), waiting.size(), -1) < 0) return 1;
      try {
        if (waiting[1].revents) take(*net::receive(parent_, Deadline::after(10s)));
      } catch (const Error&) {
        return 0;  // serve has gone
      }
      if (!waiting[0].revents) continue;
      auto order = lines_.hear();
      if (!order) return 0;
      if (order->at("do").string() == "accept") accept_one(order->at("name").string());
      if (order->at("do").string() == "log") write_log(*order);
      if (order->at("do").string() == "fail") return static_cast<int>(order->at("code").integer());
      if (order->at("do").string() == "ready") {
        say_to_serve(Json::object({{"type", "ready"}, {"epoch", std::to_string(getpid())}}));
      }
      if (order->at("do").string() == "end") {
        say_to_serve(Json::object({{"type", "counted"}, {"epoch", std::to_string(getpid())}}),
                     sealed_memfd("counters", "{}"));
        return 0;
      }
    }
  }

 private:
  void say_to_serve(const Json& message, const Fd& fd = {}) const {
    net::send(parent_, message, fd ? std::vector<int>{fd.get()} : std::vector<int>{}, Deadline::after(10s));
  }

  void take(net::Handover message) {
    std::string type = message.body.at("type").string();
    Json told = message.body;
    if (type == "log") log_ = std::move(message.fds.at(0));
    if (type == "table") told["text"] = read_memfd(message.fds.at(0));
    if (type == "listen") listeners_[told.at("name").string()] = std::move(message.fds.at(0));
    if (type == "unlisten") listeners_.erase(told.at("name").string());
    if (type == "control") {
      control_ = std::move(message.fds.at(0));
      net::send(control_, Json::object({{"type", "hello"}, {"pid", getpid()}}), {}, Deadline::after(10s));
    }
    lines_.say(told);
  }

  void accept_one(const std::string& name) {
    pollfd waiting{listeners_.at(name).get(), POLLIN, 0};
    poll(&waiting, 1, -1);
    Fd client(accept(listeners_.at(name).get(), nullptr, nullptr));
    write_all(client.get(), std::to_string(getpid()));
  }

  void write_log(const Json& order) {
    std::string text = order.at("text").string();
    // It may not wait in the pipe; the test may.
    fcntl(log_.get(), F_SETFL, 0);
    for (auto times = order.integer_or("times", 1); times > 0; --times) write_all(log_.get(), text);
    lines_.say(Json::object({{"type", "logged"}}));
  }

  Lines lines_;
  const Fd parent_{3};
  Fd log_, control_;
  std::map<std::string, Fd> listeners_;
};

/// Serve's next image, and the binary that is asked what it would start: that is in a file.
int play_serve(const char* answer, bool asked) {
  if (!asked) return take_over().value_or(1);
  std::string text = read_file(answer);
  if (text == "wait") pause();
  write_all(STDOUT_FILENO, text);
  return text.empty() ? 3 : 0;
}

}  // namespace
}  // namespace holdall::serve

std::optional<int> play_part(int argc, char** argv) {
  std::string_view part = argc >= 3 ? argv[1] : "";
  if (part == "play-serve") return holdall::serve::play_serve(argv[2], argc == 4);
  if (part == "play-control") return holdall::serve::play_control(argv[2]);
  if (part == "play-stranger") return holdall::serve::play_stranger(argv[2]);
  if (part == "play-router") return holdall::serve::Router(argv[2]).play();
  return std::nullopt;
}
