#include "serve/child.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "net/handover.h"
#include "serve/passing.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

constexpr int kChildsSocket = 3;

// A child that lived so long does not end because of how it was started.
constexpr auto kQuick = 1s, kSettled = 5s;
constexpr std::chrono::milliseconds kFirstDelay = 100ms, kLongestDelay = 5s;

// A child reads its messages within milliseconds; one that does not is stuck, and must not hold up its
// parent.
constexpr auto kPushPatience = 5s;

}  // namespace

std::map<std::string, std::string> childs_environment() {
  std::map<std::string, std::string> out;
  for (char** variable = environ; *variable; ++variable) {
    std::string_view text = *variable;
    auto equals = text.find('=');
    if (equals != text.npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const char* own : {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) out.erase(own);
  return out;
}

Child::Child(std::string name, std::vector<std::string> argv, Program program)
    : name_(std::move(name)), argv_(std::move(argv)), program_(std::move(program)) {}

void Child::become(Program program, std::vector<std::string> argv) {
  program_ = std::move(program);
  argv_ = std::move(argv);
}

Json Child::passed() const {
  Json out = Json::object({{"pid", pid_}});
  if (socket_) out["socket"] = pass(socket_);
  return out;
}

void Child::resume(const Json& passed) {
  pid_ = static_cast<pid_t>(passed.at("pid").integer());
  if (pid_ == 0) return;
  if (const Json* socket = passed.find("socket")) socket_ = take(*socket);
  started_ = BootClock::now();
  due_ = Instant::max();
}

void Child::start() {
  failpoint(fmt::format("serve.{}.start.before", name_).c_str());
  auto [ours, theirs] = net::handover_pair();
  Command command;
  command.program = "/proc/self/exe";
  if (program_) command.program_fd = program_->get();
  command.argv = argv_;
  command.environment = childs_environment();
  command.fds = {
      {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}, {theirs.get(), kChildsSocket}};
  started_ = BootClock::now();
  try {
    pid_ = spawn(command);
  } catch (const Error& error) {
    log::error("serve.start", fmt::format("{} cannot be started: {}", name_, error.what()));
    fall_due(started_);
    return;
  }
  socket_ = std::move(ours);
  due_ = Instant::max();
  log::info("serve.started", fmt::format("{} started", name_),
            Json::object({{"process", name_}, {"pid", pid_}}));
  failpoint(fmt::format("serve.{}.start.after", name_).c_str());
}

void Child::ended(const Exit& exit, bool again) {
  std::string what = fmt::format("{} ended: {}{}", name_, text(exit), again ? "; starting it again" : "");
  Json fields = Json::object({{"process", name_}, {"pid", pid_}});
  if (again) {
    log::warning("serve.ended", what, fields);
  } else {
    log::info("serve.ended", what, fields);
  }
  pid_ = 0;
  socket_.reset();
  if (again) fall_due(BootClock::now());
}

/// At once, then after 0.1, 0.2, 0.4 ... 5 s while it keeps ending quickly.
void Child::fall_due(Instant ended) {
  auto lived = ended - started_;
  if (lived >= kSettled) quick_ends_ = 0;
  due_ = ended;
  if (lived >= kQuick || ++quick_ends_ == 1) return;
  constexpr int kDoublings = 10;  // enough to reach the longest delay, too few to overflow
  due_ += std::min(kFirstDelay * (1 << std::min(quick_ends_ - 2, kDoublings)), kLongestDelay);
}

bool Child::push(const Json& body, const std::vector<int>& fds) {
  if (!socket_) return false;
  try {
    return net::send(socket_, body, fds, Deadline::after(kPushPatience));
  } catch (const Error& error) {
    log::error("serve.push", fmt::format("{} is killed: {}", name_, error.what()));
    signal(SIGKILL);
    return false;
  }
}

void Child::signal(int number) const {
  // Not reaped yet, so the number is still its own.
  if (pid_ != 0) kill(pid_, number);
}

}  // namespace holdall::serve
