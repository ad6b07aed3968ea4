#include "serve/serve.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <list>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "net/handover.h"
#include "net/socket.h"
#include "serve/lines_test.h"
#include "serve/systemd.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(10s); }

/// Control or router, once it has said who it is.
struct Part {
  pid_t pid = 0;
  std::unique_ptr<Lines> lines;

  /// What control answers.
  Json ask(Json order) const {
    lines->say(order);
    auto answer = lines->hear();
    REQUIRE(answer);
    return *answer;
  }
  Json ask(const char* what) const { return ask(Json::object({{"do", what}})).at("answer"); }

  /// The next message of this type that the router was sent.
  Json told(std::string_view type) const {
    for (;;) {
      auto message = lines->hear();
      REQUIRE(message);
      if (message->string_or("type", "") == type) return *message;
    }
  }
  bool ended() const { return !lines->hear(); }
};

/// A serve in a process of its own, whose control and router are this binary again.
class Stage {
 public:
  Stage() : Stage(64 << 20) {}
  explicit Stage(
      std::uint64_t request_log_bytes, const char* control = "play-control",
      void (*prepare)(ParentOptions& options) = [](auto&) {}) {
    options_.state = directory_ + "/state";
    options_.run = directory_ + "/run";
    options_.control_argv = {"test-control", control, socket_.path};
    options_.router_argv = {"test-router", "play-router", socket_.path};
    options_.request_log_bytes = request_log_bytes;
    prepare(options_);
    start();
  }
  ~Stage() {
    end(SIGKILL);
    parts_.clear();
    std::filesystem::remove_all(directory_);
  }

  void start() {
    pid_ = fork();
    if (pid_ != 0) return;
    // Its log would only disturb the reader.
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    try {
      _exit(parent_main(options_));
    } catch (const Error& error) {
      _exit(exit_code(error.kind()));
    }
  }

  /// The next control or router that says it is there.
  Part next(std::string_view part) {
    for (;;) {
      for (auto found = parts_.begin(); found != parts_.end(); ++found) {
        if (found->first != part) continue;
        Part out = std::move(found->second);
        parts_.erase(found);
        return out;
      }
      pollfd waiting{listener_.get(), POLLIN, 0};
      REQUIRE(poll(&waiting, 1, soon().poll_ms()) == 1);
      auto lines = std::make_unique<Lines>(Fd(accept(listener_.get(), nullptr, nullptr)));
      auto hello = lines->hear();
      REQUIRE(hello);
      parts_.emplace_back(hello->at("part").string(),
                          Part{static_cast<pid_t>(hello->at("pid").integer()), std::move(lines)});
    }
  }

  /// How serve ended.
  Exit end(int signal) {
    if (pid_ == 0) return {};
    if (signal) kill(pid_, signal);
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return decode_wait_status(status);
  }

  /// This serve can be upgraded; it is told so before it starts.
  static Stage upgradable() {
    return Stage(64 << 20, "play-control", [](ParentOptions& options) {
      const std::filesystem::path answer = options.state.parent_path() / "answer";
      options.version = "1";
      options.argv = {"test-serve", "play-serve", answer};
      options.ask_argv = {"ask"};
      options.program = std::filesystem::read_symlink("/proc/self/exe");
      ParentOptions next = options;
      next.version = "2";
      write_file_atomic(answer, to_json(next).print());
    });
  }
  void upgrade() const { kill(pid_, SIGHUP); }
  /// What the binary that takes over says that it would start.
  void answer(const std::string& text) const { write_file_atomic(directory_ + "/answer", text); }
  /// What serve has said of its last upgrade.
  Json result() const {
    Deadline deadline = soon();
    for (;;) {
      if (auto text = read_file_if_exists(options_.run / "upgrade.json")) return Json::parse(*text);
      REQUIRE_FALSE(deadline.passed());
      std::this_thread::yield();
    }
  }

  const ParentOptions& options() const { return options_; }
  pid_t pid() const { return pid_; }
  net::Address public_address() const { return {"", 0, directory_ + "/public"}; }
  Json bind() const {
    return Json::object({{"do", "bind"}, {"name", "public"}, {"address", net::text(public_address())}});
  }
  std::filesystem::path requests() const { return options_.state / "requests"; }

 private:
  static std::string make_directory() {
    std::string path = "/tmp/holdall-serve-XXXXXX";
    return mkdtemp(path.data());
  }

  std::string directory_ = make_directory();
  net::Address socket_{"", 0, directory_ + "/stage"};
  Fd listener_ = net::listen(socket_);
  ParentOptions options_;
  pid_t pid_ = 0;
  std::list<std::pair<std::string, Part>> parts_;
};

Json fail_with(int code) { return Json::object({{"do", "fail"}, {"code", code}}); }

/// Everything that the connection says until it ends.
std::string read_all(const Fd& socket) {
  std::string out;
  char buffer[256];
  for (;;) {
    ssize_t got = read(socket.get(), buffer, sizeof buffer);
    if (got == 0) return out;
    if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
    pollfd waiting{socket.get(), POLLIN, 0};
    if (got < 0) REQUIRE(poll(&waiting, 1, soon().poll_ms()) == 1);
  }
}

/// Waits until serve has written what a test has sent through the pipe: nothing tells when.
void wait_for_bytes(const std::filesystem::path& file, std::size_t size) {
  Deadline deadline = soon();
  while (read_file_if_exists(file).value_or("").size() < size) {
    REQUIRE_FALSE(deadline.passed());
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("control and router get a socket to each other") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  CHECK(control.ask("hear_router").integer() == router.pid);
}

TEST_CASE("a control that was killed is started again and gets a new socket to the same router") {
  Stage stage;
  Part router = stage.next("router"), first = stage.next("control");
  router.told("control");
  kill(first.pid, SIGKILL);
  Part second = stage.next("control");
  CHECK(second.pid != first.pid);
  router.told("control");
  CHECK(second.ask("hear_router").integer() == router.pid);
}

TEST_CASE("a router that was killed comes back with its log, its listeners, its table and its control") {
  Stage stage;
  Part first = stage.next("router"), control = stage.next("control");
  REQUIRE(control.ask(stage.bind()).find("error") == nullptr);
  control.ask(Json::object({{"do", "keep_table"}, {"text", "the table"}}));
  CHECK(control.ask("hear_router").integer() == first.pid);
  kill(first.pid, SIGKILL);
  Part second = stage.next("router");
  second.told("log");
  CHECK(second.told("listen").at("name").string() == "public");
  CHECK(second.told("table").at("text").string() == "the table");
  CHECK(control.ask("hear_router").integer() == second.pid);
}

TEST_CASE("a router comes back with listeners and table though control has never come back") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  control.ask(stage.bind());
  control.ask(Json::object({{"do", "keep_table"}, {"text", "t"}}));
  kill(control.pid, SIGSTOP);
  kill(router.pid, SIGKILL);
  Part second = stage.next("router");
  CHECK(second.told("listen").at("name").string() == "public");
  CHECK(second.told("table").at("text").string() == "t");
  kill(control.pid, SIGKILL);
}

TEST_CASE("a connection made while no router runs waits and is served") {
  Stage stage;
  Part first = stage.next("router"), control = stage.next("control");
  control.ask(stage.bind());
  kill(first.pid, SIGKILL);
  REQUIRE(first.ended() == false);  // what it was told before it died
  Fd client = net::connect(stage.public_address(), soon());
  Part second = stage.next("router");
  second.told("listen");
  second.lines->say(Json::object({{"do", "accept"}, {"name", "public"}}));
  CHECK(read_all(client) == std::to_string(second.pid));
}

TEST_CASE("a running router is told of new listeners, and to close those that are not kept") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  control.ask(stage.bind());
  CHECK(router.told("listen").at("name").string() == "public");
  control.ask(Json::object({{"do", "keep_only"}, {"name", "other"}}));
  CHECK(router.told("unlisten").at("name").string() == "public");
}

TEST_CASE("a name bound again to the same address is nothing, an address in use is a conflict") {
  Stage stage;
  Part control = stage.next("control");
  CHECK(control.ask(stage.bind()).find("error") == nullptr);
  CHECK(control.ask(stage.bind()).find("error") == nullptr);
  Json other = stage.bind();
  other["name"] = "another";
  Json answer = control.ask(other);
  CHECK(answer.at("kind").string() == "conflict");
  CHECK(answer.at("error").string().find(stage.public_address().path) != std::string::npos);
}

TEST_CASE("kept output pipes come back to the next control, until they are dropped") {
  Stage stage;
  Part first = stage.next("control");
  first.ask("keep_output");
  kill(first.pid, SIGKILL);
  Part second = stage.next("control");
  CHECK(second.ask("take_output").string() == "oe");
  second.ask("drop_output");
  CHECK(second.ask("take_output").is_null());
}

TEST_CASE("what serve cannot do is answered with an error that says why, and it serves on") {
  Stage stage(64 << 20, "play-stranger");
  Part control = stage.next("control");
  auto asked = [&](const char* message) { return control.ask(Json::parse(message)); };
  CHECK(asked(R"({"type": "dance"})").at("message").string() == "serve knows no message 'dance'");
  for (const char* message :
       {R"({})", R"([])", R"({"type": 1})", R"({"type": "bind"})", R"({"type": "keep_table"})",
        R"({"type": "bind", "name": "x", "address": "nowhere"})", R"({"type": "keep_only", "names": 1})"}) {
    CAPTURE(message);
    Json answer = asked(message);
    CHECK(answer.at("type").string() == "error");
    CHECK(answer.at("kind").string() == "invalid");
  }
  CHECK(asked(R"({"type": "keep_only", "names": []})").at("type").string() == "ok");
}

TEST_CASE("request lines go to a file, which is rotated at its size between two lines") {
  Stage stage(100);
  Part router = stage.next("router");
  router.told("log");
  auto log = [&](const std::string& text) {
    router.lines->say(Json::object({{"do", "log"}, {"text", text}}));
  };
  log(std::string(149, 'a'));
  wait_for_bytes(stage.requests() / "current.log", 149);
  log("a\n");
  wait_for_bytes(stage.requests() / "1.log", 151);
  for (int i = 2; i <= 6; ++i) {
    log(std::string(149, 'b') + "\n");
    wait_for_bytes(stage.requests() / (std::to_string(i) + ".log"), 150);
  }
  CHECK(std::filesystem::exists(stage.requests() / "3.log"));
  CHECK_FALSE(std::filesystem::exists(stage.requests() / "2.log"));
}

TEST_CASE("a disk that takes no request lines stops nobody") {
  Stage stage(64 << 20, "play-control", [](ParentOptions& options) {
    const std::filesystem::path requests = options.state / "requests";
    std::filesystem::create_directories(requests);
    std::filesystem::create_symlink("/dev/full", requests / "current.log");
  });
  Part router = stage.next("router"), control = stage.next("control");
  router.told("log");
  // More than the pipe holds: serve must be taking it away.
  Json lines = Json::object({{"do", "log"}, {"text", std::string(1023, 'x') + "\n"}, {"times", 4096}});
  router.lines->say(lines);
  router.told("logged");
  CHECK(control.ask(stage.bind()).find("error") == nullptr);
}

TEST_CASE("a second serve of the same state directory is busy and says who serves it") {
  Stage stage;
  Part control = stage.next("control");
  try {
    parent_main(stage.options());
    FAIL("two serves of one state directory");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::busy);
    CHECK(std::string_view(error.what()).find(std::to_string(stage.pid())) != std::string_view::npos);
  }
}

TEST_CASE("SIGTERM ends control, then the router, then serve with code 0") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  CHECK(stage.end(SIGTERM) == Exit{});
  while (!router.ended()) {
  }
  CHECK(control.ended());
}

TEST_CASE("control's exit message ends everything with code 0") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  control.lines->say(Json::object({{"do", "exit"}}));
  CHECK(stage.end(0) == Exit{});
}

TEST_CASE("SIGHUP is nothing to a serve that is not upgraded") {
  Stage stage;
  Part control = stage.next("control");
  kill(stage.pid(), SIGHUP);
  CHECK(control.ask(stage.bind()).find("error") == nullptr);
}

TEST_CASE("control and router end when serve is killed, and the next serve starts afresh") {
  Stage stage;
  Part router = stage.next("router"), control = stage.next("control");
  control.ask(stage.bind());
  CHECK(stage.end(SIGKILL).signal == SIGKILL);
  CHECK(control.ended());
  while (!router.ended()) {
  }
  stage.start();
  Part next = stage.next("control");
  CHECK(next.ask(stage.bind()).find("error") == nullptr);
}

TEST_CASE("a control that cannot run here ends serve with its code") {
  Stage stage;
  Part control = stage.next("control");
  control.lines->say(fail_with(2));
  CHECK(stage.end(0) == Exit{.code = 2});
}

TEST_CASE("a control that fails otherwise, or after it has run, is started again") {
  Stage stage;
  stage.next("control").lines->say(fail_with(5));
  Part second = stage.next("control");
  second.ask(stage.bind());
  second.lines->say(fail_with(2));
  CHECK(stage.next("control").ask(stage.bind()).find("error") == nullptr);
}

TEST_CASE("processes that lost their parent are reaped") {
  Stage stage;
  Part control = stage.next("control");
  Json orphan = control.ask("orphan");
  kill(static_cast<pid_t>(orphan.integer()), SIGKILL);
  std::filesystem::path entry = "/proc/" + std::to_string(orphan.integer());
  Deadline deadline = soon();
  while (std::filesystem::exists(entry)) REQUIRE_FALSE(deadline.passed());
}

namespace {

/// An upgrade up to the point at which the new binary's control runs.
struct Upgrading {
  Stage stage = Stage::upgradable();
  Part router = stage.next("router"), control = stage.next("control");

  Upgrading() {
    control.ask("ready");
    control.ask(stage.bind());
    control.ask(Json::object({{"do", "keep_table"}, {"text", "t"}}));
    control.ask("keep_output");
    router.lines->say(Json::object({{"do", "ready"}}));
  }
  Part replaced_control() {
    stage.upgrade();
    CHECK(control.ended());
    return stage.next("control");
  }
};

}  // namespace

TEST_CASE("an upgrade replaces control, then the router, and keeps all that was entrusted to serve") {
  Upgrading upgrade;
  Part control = upgrade.replaced_control();
  CHECK(control.ask("hear_router").integer() == upgrade.router.pid);
  control.ask("ready");
  Part router = upgrade.stage.next("router");
  CHECK(router.told("listen").at("name").string() == "public");
  CHECK(router.told("table").at("text").string() == "t");
  CHECK(router.told("begin").at("after").items().at(0) == Json(std::to_string(upgrade.router.pid)));
  CHECK(control.ask("hear_router").integer() == router.pid);
  router.lines->say(Json::object({{"do", "ready"}}));
  upgrade.router.told("retire");

  Json result = upgrade.stage.result();
  CHECK(result.at("result").string() == "done");
  CHECK(result.at("from").string() == "1");
  CHECK(result.at("to").string() == "2");
  // The next image has the listener, the pipes, the children and their ends.
  CHECK(control.ask(upgrade.stage.bind()).find("error") == nullptr);
  CHECK(control.ask("take_output").string() == "oe");
  upgrade.router.lines->say(Json::object({{"do", "end"}}));
  CHECK(upgrade.router.ended());
  kill(control.pid, SIGKILL);
  Part third = upgrade.stage.next("control");
  CHECK(third.ask("hear_router").integer() == router.pid);
  CHECK(upgrade.stage.end(SIGTERM) == Exit{});
}

TEST_CASE("a binary that does not say what it would start costs nothing") {
  Upgrading upgrade;
  for (const char* answer : {"", "{}", R"({"protocol": 2})"}) {
    CAPTURE(answer);
    upgrade.stage.answer(answer);
    std::filesystem::remove(upgrade.stage.options().run / "upgrade.json");
    upgrade.stage.upgrade();
    CHECK(upgrade.stage.result().at("result").string() == "failed");
    CHECK(upgrade.control.ask(upgrade.stage.bind()).find("error") == nullptr);
  }
}

TEST_CASE("a new control that ends before it is ready gives way to the old one, under the same router") {
  Upgrading upgrade;
  Part fresh = upgrade.replaced_control();
  fresh.lines->say(fail_with(2));
  Part old = upgrade.stage.next("control");
  CHECK(old.ask("hear_router").integer() == upgrade.router.pid);
  old.ask("ready");
  Json result = upgrade.stage.result();
  CHECK(result.at("result").string() == "failed");
  CHECK(result.at("reason").string() == "its control exited with code 2");
  CHECK(old.ask(upgrade.stage.bind()).find("error") == nullptr);
}

TEST_CASE("a new router that ends before it is ready gives way to the old one, and so does its control") {
  Upgrading upgrade;
  Part control = upgrade.replaced_control();
  control.ask("ready");
  Part router = upgrade.stage.next("router");
  router.lines->say(fail_with(1));
  Part old = upgrade.stage.next("control");
  CHECK(old.ask("hear_router").integer() == upgrade.router.pid);
  old.ask("ready");
  CHECK(upgrade.stage.result().at("reason").string() == "its router exited with code 1");
}

TEST_CASE("an upgrade that is asked for in the middle of another comes after it") {
  Upgrading upgrade;
  Part second = upgrade.replaced_control();
  upgrade.stage.upgrade();
  second.ask("ready");
  Part router = upgrade.stage.next("router");
  router.lines->say(Json::object({{"do", "ready"}}));
  CHECK(second.ended());
  Part third = upgrade.stage.next("control");
  third.ask("ready");
  Part last = upgrade.stage.next("router");
  last.lines->say(Json::object({{"do", "ready"}}));
  CHECK(third.ask(upgrade.stage.bind()).find("error") == nullptr);
}

TEST_CASE("SIGTERM in the middle of an upgrade ends everything with code 0") {
  Upgrading upgrade;
  Part control = upgrade.replaced_control();
  control.ask("ready");
  Part router = upgrade.stage.next("router");
  CHECK(upgrade.stage.end(SIGTERM) == Exit{});
  CHECK(control.ended());
  while (!router.ended()) {
  }
}

TEST_CASE("what is said to a service manager survives as a name") {
  for (const char* text : {"listen hello/web:5432 [::]:5432", "100% of it", "", "\x01\xff"}) {
    CHECK(decode_name(encode_name(text)) == text);
    CHECK(encode_name(text).find(':') == std::string::npos);
  }
}

}  // namespace holdall::serve
