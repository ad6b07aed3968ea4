#include "router/sandbox.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "base/files.h"
#include "net/handover.h"
#include "router/testbed.h"

#ifndef HOLDALL_SANITIZED  // sanitizers need more than the sandbox allows, and a process of one thread to
                           // fork from

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

Deadline soon() { return Deadline::after(10s); }

/// `router_main` in a process of its own.
class RouterProcess {
 public:
  RouterProcess() {
    auto [here, there] = net::handover_pair();
    serve = std::move(here);
    pid = checked(fork(), "fork");
    if (pid == 0) {
      dup2(there.get(), 3);
      _exit(router_main(2));
    }
  }
  ~RouterProcess() {
    kill(pid, SIGKILL);
    if (!waited_) waitpid(pid, nullptr, 0);
  }
  std::string status() const { return read_file("/proc/" + std::to_string(pid) + "/status"); }
  int end(int signal) {
    kill(pid, signal);
    int status = 0;
    waitpid(pid, &status, 0);
    waited_ = true;
    return status;
  }

  Fd serve;
  pid_t pid = 0;

 private:
  bool waited_ = false;
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("the router serves from within its sandbox, and ends cleanly when told") {
  RouterProcess router;
  Instance web(answers("hello"));
  Fd socket = net::listen({"127.0.0.1", 0, ""});
  std::uint16_t port = port_of(socket);
  net::send(router.serve, Json::object({{"type", "listen"}, {"name", "http"}}), {socket.get()}, soon());
  Pipe log = make_pipe(O_NONBLOCK);
  net::send(router.serve, Json::object({{"type", "log"}}), {log.write.get()}, soon());
  RouteTable table;
  table.version = 1;
  table.listeners = {{"http", {"127.0.0.1", 80, ""}, Listener::http, ""}};
  table.routes = {{"app.test", "/", false, "app/web"}};
  table.pools = {{.name = "app/web", .targets = {Bench::target(web.port())}}};
  Fd file = sealed_memfd("table", to_json(table).print());
  net::send(router.serve, Json::object({{"type", "table"}}), {file.get()}, soon());
  for (int i = 0; i < 100; ++i) REQUIRE(ask(port).body == "hello");
  pollfd logged{log.read.get(), POLLIN, 0};
  CHECK(poll(&logged, 1, 10'000) == 1);

  std::string status = router.status();
  CHECK(has(status, "NoNewPrivs:\t1\n"));
  CHECK(has(status, "Seccomp:\t2\n"));
#ifndef HOLDALL_FAILPOINTS
  if (geteuid() == 0) {
    CHECK(has(status, "Uid:\t65534\t65534\t65534\t65534\n"));
    CHECK(has(status, "Gid:\t65534\t65534\t65534\t65534\n"));
    CHECK(has(status, "Groups:\t \n"));
    CHECK(has(status, "CapEff:\t0000000000000000\n"));
    CHECK(std::filesystem::is_empty("/proc/" + std::to_string(router.pid) + "/root"));
  }
#endif
  CHECK(router.end(SIGTERM) == 0);
}

TEST_CASE("what the sandbox forbids cannot be done") {
  pid_t pid = checked(fork(), "fork");
  if (pid == 0) {
    enter_sandbox();
    if (open("/", O_RDONLY) >= 0) _exit(1);
    if (open("/etc/passwd", O_RDONLY) >= 0) _exit(2);
    if (::socket(AF_INET, SOCK_STREAM, 0) < 0) _exit(3);
    execl("/bin/true", "true", nullptr);  // ends the process
    _exit(4);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSYS);
}

#endif
