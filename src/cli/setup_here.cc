#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/port_holder.h"
#include "cli/settings.h"
#include "cli/setup.h"
#include "net/client.h"
#include "net/socket.h"

// packaging/holdall.service, one source for the package and for this (cmake/embed.cmake).
extern const unsigned char holdall_unit[];
extern const std::size_t holdall_unit_size;

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// serve needs a moment, and on a loaded machine some more.
constexpr auto kStartTimeout = 30s;
constexpr auto kAskAgain = 50ms;

constexpr std::string_view kTemplate =
    "# Settings of `holdall serve`, a NAME=VALUE each; `holdall serve --print-config` shows what counts.\n"
    "#HOLDALL_HTTP=:80\n"
    "#HOLDALL_API_TLS=:8443\n";

Digest digest_of(const fs::path& file) {
  Sha256 sum;
  Fd opened(checked(open(file.c_str(), O_RDONLY | O_CLOEXEC), "open " + file.string()));
  std::string piece(1 << 20, '\0');
  for (;;) {
    ssize_t got = read(opened.get(), piece.data(), piece.size());
    if (got < 0) throw_errno(Error::failed, "read " + file.string(), errno);
    if (got == 0) return sum.finish();
    sum.update(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
  }
}

/// Copied beside its place and moved there at one instant: who executes the old one goes on.
void install(const fs::path& from, const fs::path& to) {
  fs::path fresh = to.string() + ".new";
  fs::copy_file(from, fresh, fs::copy_options::overwrite_existing);
  checked(chmod(fresh.c_str(), 0755), "chmod " + fresh.string());
  fs::rename(fresh, to);
}

/// This machine, as setup finds it and leaves it.
class Machine {
 public:
  explicit Machine(const SetupOptions& options)
      : options_(options),
        self_(fs::read_symlink("/proc/self/exe")),
        program_(self_ == kPackaged ? kPackaged : kInstalled),
        settings_(settings()),
        api_(socket_at(settings_.at("HOLDALL_API").value)) {}

  std::vector<Step> steps();
  bool answers() const;

 private:
  Step binary();
  Step group_of_users();
  Step login();
  Step directory(const std::string& path, mode_t mode);
  Step configuration();
  Step membership();
  Step port();
  Step unit();
  Step service();
  Step people();
  std::string unit_text() const;
  void start_without_systemd();
  std::optional<int> pid_of(const std::string& process) const;
  void wait_for(const std::string& what, const std::function<bool()>& condition) const;

  const SetupOptions options_;
  const fs::path self_;
  const std::string program_;
  const std::map<std::string, Setting> settings_;
  const net::Address api_;
  bool new_binary_ = false, new_unit_ = false;
};

bool Machine::answers() const {
  try {
    return net::fetch(api_, {.target = "/__lbheartbeat__"}, Deadline::after(5s)).status == 200;
  } catch (const Error&) {
    return false;
  }
}

std::optional<int> Machine::pid_of(const std::string& process) const {
  try {
    Json server = Json::parse(net::fetch(api_, {.target = "/v1/server"}, Deadline::after(5s)).body);
    return static_cast<int>(server.at(process).at("pid").integer());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void Machine::wait_for(const std::string& what, const std::function<bool()>& condition) const {
  Deadline deadline = Deadline::after(kStartTimeout);
  while (!condition()) {
    if (deadline.passed()) throw Error(Error::busy, fmt::format("waited 30 s for {}", what));
    std::this_thread::sleep_for(kAskAgain);
  }
}

Step Machine::binary() {
  auto missing = [this]() -> std::optional<std::string> {
    if (self_ == program_ || (fs::exists(program_) && digest_of(self_) == digest_of(program_)))
      return std::nullopt;
    new_binary_ = true;
    return fs::exists(program_) ? "replaced by this version" : "copied";
  };
  return {program_, missing, [this] { install(self_, program_); }};
}

Step Machine::group_of_users() {
  auto missing = []() -> std::optional<std::string> {
    if (getgrnam(kServiceAccount)) return std::nullopt;
    return "made; its members may do everything here";
  };
  return {"group holdall", missing, [] { must_run({"groupadd", "--system", kServiceAccount}); }};
}

/// People come in by ssh as this user; a key of theirs runs one command. It is in no group of users: the
/// API's own socket stays closed to it.
Step Machine::login() {
  auto missing = []() -> std::optional<std::string> {
    const passwd* user = getpwnam(kServiceAccount);
    if (!user) return "made; people with access log in as it";
    if (std::string_view(user->pw_dir) == kLoginHome) return std::nullopt;
    throw Error(
        Error::conflict,
        fmt::format("there is one already, whose home is {}; Holdall's own needs that name: rename the "
                    "other with usermod --login",
                    user->pw_dir));
  };
  auto act = [] {
    const char* group = getgrnam("nogroup") ? "nogroup" : "nobody";
    // The password `*` matches nothing and, other than `!`, does not lock keys out.
    must_run({"useradd", "--system", "--gid", group, "--home-dir", kLoginHome, "--no-create-home", "--shell",
              "/bin/sh", "--password", "*", kServiceAccount});
  };
  return {"user holdall", missing, act};
}

Step Machine::directory(const std::string& path, mode_t mode) {
  auto missing = [path, mode]() -> std::optional<std::string> {
    struct stat info{};
    bool there = lstat(path.c_str(), &info) == 0;
    if (there && !S_ISDIR(info.st_mode)) throw Error(Error::conflict, "something else is there");
    constexpr mode_t kModes = 07777;
    if (there && info.st_uid == 0 && (info.st_mode & kModes) == mode) return std::nullopt;
    return fmt::format("{} root {:o}", there ? "given to" : "made,", mode);
  };
  auto act = [path, mode] {
    fs::create_directories(path);
    checked(chown(path.c_str(), 0, 0), "chown " + path);
    checked(chmod(path.c_str(), mode), "chmod " + path);
  };
  return {path, missing, act};
}

Step Machine::configuration() {
  fs::path file = fs::path(kConfiguration) / "holdall.conf";
  auto missing = [file]() -> std::optional<std::string> {
    if (fs::exists(file)) return std::nullopt;
    return "made; every line of it is a comment";
  };
  return {file.string(), missing, [file] { write_file_atomic(file, kTemplate); }};
}

/// Who called through sudo works with the server afterwards.
Step Machine::membership() {
  auto variables = environment();
  std::string user = variables.contains("SUDO_USER") ? variables.at("SUDO_USER") : "";
  if (user == "root" || user == kServiceAccount || !getpwnam(user.c_str())) user.clear();
  auto missing = [user]() -> std::optional<std::string> {
    if (user.empty()) return std::nullopt;
    const group* members = getgrnam(kServiceAccount);
    for (char** one = members ? members->gr_mem : nullptr; one && *one; ++one) {
      if (user == *one) return std::nullopt;
    }
    return "joins group holdall, from the next login on";
  };
  auto act = [user] { must_run({"usermod", "--append", "--groups", kServiceAccount, user}); };
  return {user.empty() ? "root may use it" : "user " + user, missing, act};
}

Step Machine::port() {
  net::Address http = net::parse_address(settings_.at("HOLDALL_HTTP").value);
  auto missing = [this, http]() -> std::optional<std::string> {
    if (net::port_is_free(http.port) || answers()) return std::nullopt;
    throw Error(Error::conflict,
                fmt::format("{} has it: stop that, or write HOLDALL_HTTP=:PORT into {}/holdall.conf",
                            holder_of_port(http.port), kConfiguration));
  };
  return {fmt::format("port {} is for requests", http.port), missing, [] {}};
}

std::string Machine::unit_text() const {
  std::string text(reinterpret_cast<const char*>(holdall_unit), holdall_unit_size);
  for (std::size_t at = text.find(kPackaged); at != text.npos;
       at = text.find(kPackaged, at + program_.size())) {
    text.replace(at, std::string_view(kPackaged).size(), program_);
  }
  return text;
}

Step Machine::unit() {
  auto missing = [this]() -> std::optional<std::string> {
    if (program_ == kPackaged && fs::exists(kPackagedUnit)) return std::nullopt;
    std::optional<std::string> there = read_file_if_exists(kUnitFile);
    if (there == unit_text()) return std::nullopt;
    new_unit_ = true;
    return std::string(there ? "brought up to date" : "written") +
           (has_systemd() ? "" : "; systemd does not run here, so nothing reads it yet");
  };
  auto act = [this] {
    fs::create_directories(fs::path(kUnitFile).parent_path());
    write_file_atomic(kUnitFile, unit_text());
  };
  return {kUnitFile, missing, act};
}

/// As systemd would: apart from this terminal and session, its words in a file.
void Machine::start_without_systemd() {
  Fd log(checked(open(kLogFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640),
                 std::string("write ") + kLogFile));
  holdall::Command command;
  command.argv = {"setsid", "--fork", program_, "serve"};
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"HOME", "/root"}};
  command.working_dir = "/";
  command.fds = {{log.get(), 1}, {log.get(), 2}};
  pid_t child = spawn(command);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

Step Machine::service() {
  auto missing = [this]() -> std::optional<std::string> {
    bool runs = answers();
    if (runs && (new_binary_ || new_unit_)) return "takes the new version over, without losing a request";
    if (runs && !has_systemd()) return std::nullopt;
    if (has_systemd()) {
      // Neither of the two changes what is so already.
      return runs ? std::nullopt : std::optional<std::string>("enabled and started");
    }
    return fmt::format("started without systemd; it logs to {}", kLogFile);
  };
  auto act = [this] {
    bool runs = answers();
    if (has_systemd()) {
      must_run({"systemctl", "daemon-reload"});
      if (runs) {
        must_run({"systemctl", "reload-or-restart", "holdall.service"});
      } else {
        must_run({"systemctl", "enable", "--now", "holdall.service"});
      }
    } else if (runs) {
      must_run({program_, "reload"});
    } else {
      start_without_systemd();
    }
    wait_for(fmt::format("the API at {}; its log is {}", net::text(api_),
                         has_systemd() ? "`journalctl -u holdall`" : kLogFile),
             [this] { return answers(); });
  };
  return {"service holdall", missing, act};
}

/// A control that began before there was a user to log in as knows nothing of it; the next one does, and
/// costs no request.
Step Machine::people() {
  fs::path socket = fs::path(api_.path).parent_path() / "people.sock";
  auto missing = [this, socket]() -> std::optional<std::string> {
    if (!answers() || fs::exists(socket)) return std::nullopt;
    return "opened: control is started again";
  };
  auto act = [this, socket] {
    if (auto pid = pid_of("control")) ::kill(*pid, SIGTERM);
    wait_for(socket.string(), [&] { return fs::exists(socket) && answers(); });
  };
  return {"access by ssh", missing, act};
}

std::vector<Step> Machine::steps() {
  constexpr mode_t kOpen = 0755, kOwn = 0700;
  std::vector<Step> all;
  all.push_back(port());
  all.push_back(binary());
  all.push_back(group_of_users());
  all.push_back(login());
  all.push_back(membership());
  all.push_back(directory(kConfiguration, kOpen));
  all.push_back(directory(settings_.at("HOLDALL_KEYS").value, kOwn));
  all.push_back(directory(kLoginHome, kOpen));
  all.push_back(directory(std::string(kLoginHome) + "/.ssh", kOpen));
  all.push_back(directory(settings_.at("HOLDALL_STATE").value, kOpen));
  all.push_back(configuration());
  all.push_back(unit());
  all.push_back(service());
  all.push_back(people());
  return all;
}

}  // namespace

int setup_here(const SetupOptions& options, const Terminal& out) {
  Machine machine(options);
  int changes = carry_out(machine.steps(), options.dry_run, out);
  if (options.dry_run) {
    out.line(changes ? "nothing was changed: this is what setup would do" : "there is nothing to do");
  } else {
    out.line(changes ? "the server is ready" : "everything was so already: nothing was changed");
  }
  return 0;
}

}  // namespace holdall::cli
