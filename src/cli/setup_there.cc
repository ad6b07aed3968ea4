#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "app/app.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/id.h"
#include "cli/settings.h"
#include "cli/setup.h"

namespace holdall::cli {
namespace {

/// Another machine over the system's ssh. ssh joins what it is given with blanks and has the login shell read
/// it: every word here is one that no shell reads otherwise, and what is data goes to stdin.
class Remote {
 public:
  explicit Remote(const app::Host& host) : host_(host) {}

  /// What a command says there. Throws `failed` with its last words.
  std::string ask(const std::vector<std::string>& words) { return finish(words, -1, false); }
  void send(const std::vector<std::string>& words, int file) { finish(words, file, false); }

  /// A command that speaks for itself, on this terminal where there is one. Returns its exit code.
  int attend(const std::vector<std::string>& words) {
    holdall::Command command = ssh(words, isatty(0) && isatty(1));
    command.fds = {{0, 0}, {1, 1}, {2, 2}};
    return wait(spawn(command));
  }

 private:
  holdall::Command ssh(const std::vector<std::string>& words, bool terminal) const {
    holdall::Command command;
    command.argv = {"ssh", terminal ? "-t" : "-T"};
    // Else it says of every terminal that it is closed.
    if (terminal) command.argv.insert(command.argv.end(), {"-o", "LogLevel=ERROR"});
    if (!host_.user.empty()) command.argv.insert(command.argv.end(), {"-l", host_.user});
    if (host_.port) command.argv.insert(command.argv.end(), {"-p", std::to_string(host_.port)});
    command.argv.insert(command.argv.end(), {"--", host_.name});
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = environment();
    return command;
  }

  static int wait(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    Exit exit = decode_wait_status(status);
    return exit.signal ? 128 + exit.signal : exit.code;
  }

  /// ssh asks for passwords and host keys on the terminal itself; what it complains of is seen at once.
  std::string finish(const std::vector<std::string>& words, int input, bool terminal) {
    holdall::Command command = ssh(words, terminal);
    Pipe said = make_pipe(0);
    command.fds = {{said.write.get(), 1}, {2, 2}};
    if (input >= 0) command.fds.emplace_back(input, 0);
    pid_t child = spawn(command);
    said.write.reset();
    std::string text;
    std::array<char, 4096> piece;
    for (ssize_t got = 0; (got = read(said.read.get(), piece.data(), piece.size())) != 0;) {
      if (got < 0 && errno != EINTR) break;
      if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    }
    int code = wait(child);
    constexpr int kSshFailed = 255;
    if (code == kSshFailed) throw Error(Error::failed, fmt::format("ssh did not reach {}", app::text(host_)));
    if (code != 0) throw Error(Error::failed, fmt::format("`{}` exited there with {}", words.front(), code));
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }

  const app::Host host_;
};

void check_machine(Remote& remote) {
  utsname own{};
  uname(&own);
  std::string ours = fmt::format("{} {}", own.sysname, own.machine), theirs = remote.ask({"uname", "-sm"});
  if (theirs == ours) return;
  throw Error(Error::invalid,
              fmt::format("that machine is {}, and this binary is for {}: run a holdall made for it "
                          "there, with `setup --here`",
                          theirs, ours));
}

/// The digest of a file, as `sha256sum` prints it.
std::string hex_digest(const Fd& file) {
  Sha256 sum;
  std::string piece(1 << 20, '\0');
  for (off_t at = 0;;) {
    ssize_t got = pread(file.get(), piece.data(), piece.size(), at);
    if (got < 0) throw_errno(Error::failed, "read this binary", errno);
    if (got == 0) break;
    sum.update(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
    at += got;
  }
  return sum.finish().value.substr(std::strlen("sha256:"));
}

/// This binary over there for as long as it lives, in the login's home.
class Sent {
 public:
  Sent(Remote& remote, const Terminal& out) : remote_(remote) {
    Fd self(checked(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open this binary"));
    out.transient("  sending holdall ...");
    std::string digest = hex_digest(self);
    remote_.send({"install", "-m", "700", "/dev/stdin", name_}, self.get());
    std::string there = remote_.ask({"sha256sum", name_});
    if (!there.starts_with(digest)) {
      remove();
      throw Error(Error::failed, "the binary did not arrive as it was sent: try again");
    }
    out.line(fmt::format("  {}  holdall is there, sha256 {}", out.paint(Colour::green, "done   "),
                         digest.substr(0, 12)));
  }
  ~Sent() { remove(); }
  Sent(const Sent&) = delete;

  std::string program() const { return "./" + name_; }

 private:
  void remove() noexcept {
    try {
      remote_.ask({"rm", "-f", name_});
    } catch (const std::exception&) {
      // What it left is a copy of this binary.
    }
  }

  Remote& remote_;
  const std::string name_ = ".holdall-setup-" + random_id();
};

}  // namespace

int setup_there(const std::string& destination, const std::vector<std::string>& words, bool dry_run,
                const Terminal& out) {
  bool whole = destination.starts_with("ssh://");
  const app::Host host = app::parse_host(whole ? destination : "ssh://" + destination);
  Remote remote(host);
  check_machine(remote);
  int code = 0;
  {
    Sent sent(remote, out);
    std::vector<std::string> command{sent.program(), "setup"};
    command.insert(command.end(), words.begin(), words.end());
    code = remote.attend(command);
  }
  bool removes = std::ranges::find(words, "--remove") != words.end();
  if (code != 0 || dry_run || removes) return code;
  // What a browser takes as a name of this machine.
  const std::string domain = host.name.contains(':') ? "shop.example.com" : host.name;
  out.line(
      fmt::format("\npaste into compose.yaml:\n\n"
                  "x-holdall:\n"
                  "  environments:\n"
                  "    production:\n"
                  "      host: {}\n"
                  "      domain: {}   # ${{HOLDALL_DOMAIN}}: the name that people type",
                  app::text(host), domain));
  return 0;
}

}  // namespace holdall::cli
