#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

// Two upgrades, if one is under way: each asks for 10 s, stops a control for 10 s, starts one and a router
// for 10 s each, and may do the last two again on its way back.
constexpr auto kPatience = std::chrono::seconds(120);

/// The serve of this state directory, by its lock; the descriptor polls readable once it has ended.
Fd find_serve(const std::filesystem::path& state) {
  std::string text = read_file_if_exists(state / "serve.lock").value_or("");
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  Fd process(pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
  // The number may be another's by now: only serve holds the lock.
  Fd lock(open((state / "serve.lock").c_str(), O_RDONLY | O_CLOEXEC));
  bool serves = process && lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0;
  if (!serves) {
    throw Error(Error::missing, fmt::format("nothing serves {}; `holdall serve` does", state.string()));
  }
  return process;
}

/// What became of the upgrade that was asked for at `since`, if it is over.
std::optional<Json> result_after(const std::filesystem::path& file, std::int64_t since) {
  std::optional<std::string> text = read_file_if_exists(file);
  if (!text) return std::nullopt;
  Json result = Json::parse(*text);
  bool ours = result.string_or("boot", "") == boot_id() && result.integer_or("begun_ns", 0) >= since;
  return ours ? std::optional(std::move(result)) : std::nullopt;
}

Json wait_for_result(const Fd& serve, const std::filesystem::path& file, const Fd& changes,
                     std::int64_t since) {
  const Deadline deadline = Deadline::after(kPatience);
  for (;;) {
    if (auto result = result_after(file, since)) return *result;
    pollfd waits[] = {{changes.get(), POLLIN, 0}, {serve.get(), POLLIN, 0}};
    int ready = poll(waits, 2, deadline.poll_ms());
    if (ready == 0) throw Error(Error::busy, "serve has not said how the upgrade ended; see its log");
    if (waits[1].revents != 0) throw Error(Error::missing, "serve has ended meanwhile; see its log");
    char events[4096];
    while (read(changes.get(), events, sizeof events) > 0) {
    }
  }
}

}  // namespace

int reload(Invocation& call) {
  std::optional<std::string> state, api;
  bool json = false;
  Options options(call, "  apt install ./holdall.deb && holdall reload");
  options.value("--state", state, "DIR", "the state directory of the serve that is meant (HOLDALL_STATE)");
  options.value("--api", api, "PATH", "its API's socket (HOLDALL_API)");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  std::map<std::string, std::string> flags;
  if (state) flags["HOLDALL_STATE"] = *state;
  if (api) flags["HOLDALL_API"] = *api;
  auto all = settings(std::move(flags));
  std::filesystem::path run = std::filesystem::path(socket_at(all["HOLDALL_API"].value).path).parent_path();

  Fd serve = find_serve(all["HOLDALL_STATE"].value);
  // Before it is asked: its answer is a file that takes the place of the last one.
  Fd changes(checked(inotify_init1(IN_NONBLOCK | IN_CLOEXEC), "watch the run directory"));
  if (inotify_add_watch(changes.get(), run.c_str(), IN_MOVED_TO) < 0) {
    throw_errno(Error::missing, fmt::format("watch {}", run.string()), errno);
  }
  auto since = BootClock::now().time_since_epoch().count();
  if (syscall(SYS_pidfd_send_signal, serve.get(), SIGHUP, nullptr, 0) != 0) {
    throw_errno(errno == EPERM ? Error::denied : Error::missing, "ask serve to reload", errno);
  }
  Json result = wait_for_result(serve, run / "upgrade.json", changes, since);
  bool done = result.at("result").string() == "done";
  if (json) {
    std::fputs(result.pretty().c_str(), stdout);
  } else if (done) {
    Terminal(1, call.globals.ansi).line(fmt::format("version {} serves", result.at("to").string()));
  }
  if (done) return 0;
  throw Error(Error::conflict, fmt::format("not upgraded: {}; version {} serves on",
                                           result.at("reason").string(), result.at("from").string()));
}

}  // namespace holdall::cli
