#include "cli/ssh.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "base/subprocess.h"
#include "base/time.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// ssh's own time for the TCP connection, in seconds: as Docker's connections by ssh have it.
constexpr const char* kConnectTimeout = "ConnectTimeout=30";
// What has closed its end of the connection is about to exit.
constexpr auto kEndTimeout = 5s;
constexpr auto kAskAgain = 2ms;
// Enough for a changed host key's warning.
constexpr std::size_t kMostSaid = 4000;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

/// How a person types it: "deploy@shop.example -p 2222".
std::string typed(const app::Host& host) {
  std::string words = host.user.empty() ? host.name : fmt::format("{}@{}", host.user, host.name);
  return host.port ? fmt::format("-p {} {}", host.port, words) : words;
}

struct Complaint {
  std::string_view words;  ///< ssh's own
  Error::Kind kind;
  std::string_view what;
  std::string_view remedy;  ///< {} is what follows `ssh`
};

// The first that is found in what ssh said.
constexpr std::array kComplaints{
    Complaint{"REMOTE HOST IDENTIFICATION HAS CHANGED", Error::denied,
              "its host key is another one than before",
              "find out why, then remove the old one from known_hosts; ssh {} shows it"},
    Complaint{"Host key verification failed", Error::denied, "its host key is not known here",
              "connect once by hand, and compare the key: ssh {}"},
    Complaint{"Permission denied", Error::denied, "it lets nobody in with the keys that ssh has here",
              "this must work without Holdall: ssh {}; on the server, `holdall access add` lets a key in"},
    Complaint{"Too many authentication failures", Error::denied, "it was offered too many keys",
              "name the right one in ~/.ssh/config, with IdentitiesOnly; this must work: ssh {}"},
    Complaint{"Could not resolve hostname", Error::missing, "there is no host of that name",
              "write the name as `ssh {}` takes it"},
    Complaint{"Connection refused", Error::missing, "no sshd listens there", "this must work first: ssh {}"},
    Complaint{"Connection timed out", Error::busy, "it does not answer", "this must work first: ssh {}"},
    Complaint{"Operation timed out", Error::busy, "it does not answer", "this must work first: ssh {}"},
    Complaint{"No route to host", Error::missing, "there is no way to it", "this must work first: ssh {}"},
    Complaint{"Network is unreachable", Error::missing, "there is no way to it",
              "this must work first: ssh {}"},
};

Fd make_memory() {
  return Fd(checked(memfd_create("ssh-stderr", MFD_CLOEXEC), "make a file for what ssh says"));
}

std::string read_all(const Fd& file) {
  std::string text(kMostSaid, '\0');
  off_t size = lseek(file.get(), 0, SEEK_END);
  off_t begin = std::max<off_t>(0, size - static_cast<off_t>(kMostSaid));
  ssize_t got = pread(file.get(), text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return trimmed(std::move(text));
}

}  // namespace

std::vector<std::string> ssh_argv(const app::Host& host, bool attended) {
  std::vector<std::string> argv{"ssh", "-o", kConnectTimeout, "-T"};
  if (!attended) argv.insert(argv.end(), {"-o", "BatchMode=yes"});
  if (!host.user.empty()) argv.insert(argv.end(), {"-l", host.user});
  if (host.port) argv.insert(argv.end(), {"-p", std::to_string(host.port)});
  argv.insert(argv.end(), {"--", host.name, "holdall", "stdio"});
  return argv;
}

Error ssh_error(const app::Host& host, int code, const std::string& said) {
  constexpr int kSshItself = 255, kNoProgram = 127, kNoHoldallThere = 3;
  std::string quoted = said.empty() ? "" : "\n  ssh: " + said;
  for (std::size_t at = quoted.find('\n', 1); at != quoted.npos; at = quoted.find('\n', at + 1))
    quoted.replace(at, 1, "\n       ");
  const std::string name = app::text(host);
  if (code == kSshItself) {
    for (const Complaint& complaint : kComplaints) {
      if (said.find(complaint.words) == said.npos) continue;
      return Error(complaint.kind,
                   fmt::format("{}: {}\n  {}{}", name, complaint.what,
                               fmt::format(fmt::runtime(complaint.remedy), typed(host)), quoted));
    }
    return Error(Error::missing, fmt::format("{}: ssh cannot connect; this must work first: ssh {}{}", name,
                                             typed(host), quoted));
  }
  if (code == kNoProgram) {
    return Error(Error::missing,
                 fmt::format("{}: holdall is not installed there, or not in the PATH of an ssh command\n  "
                             "make it a server: holdall setup {}{}",
                             name, typed(host), quoted));
  }
  if (code == kNoHoldallThere) {
    return Error(Error::missing,
                 fmt::format("{}: no server runs there\n  start it there with `holdall serve`, "
                             "or from here: holdall setup {}{}",
                             name, typed(host), quoted));
  }
  return Error(Error::failed,
               fmt::format("{}: the connection ended with exit code {}{}", name, code, quoted));
}

SshConnection::SshConnection(const app::Host& host, const std::map<std::string, std::string>& environment)
    : host_(host), said_(make_memory()) {
  std::array<int, 2> pair{};
  checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), "make a socket for ssh");
  socket_ = Fd(pair[0]);
  Fd theirs(pair[1]);
  // Ours never blocks; theirs does, as ssh expects of its stdin.
  checked(fcntl(socket_.get(), F_SETFL, O_NONBLOCK), "set a socket option");
  Command command;
  command.argv = ssh_argv(host, isatty(STDIN_FILENO) != 0);
  command.environment = environment;
  command.fds = {{theirs.get(), 0}, {theirs.get(), 1}, {said_.get(), 2}};
  try {
    pid_ = spawn(command);
  } catch (const Error& error) {
    if (error.kind() != Error::missing) throw;
    throw Error(
        Error::missing,
        fmt::format("{} needs the program ssh, and there is none: install openssh-client", app::text(host)));
  }
}

SshConnection::~SshConnection() {
  socket_ = Fd();
  // It ends by itself, if only when the server notices; a command that has gone before leaves it to init.
  if (pid_) waitpid(pid_, nullptr, WNOHANG);
}

Error SshConnection::explain(const Error& seen) {
  socket_ = Fd();
  int status = 0;
  for (Deadline deadline = Deadline::after(kEndTimeout); pid_;) {
    pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) break;
    if (ended < 0 && errno != EINTR) return seen;
    if (deadline.passed()) return seen;
    std::this_thread::sleep_for(kAskAgain);
  }
  pid_ = 0;
  Exit exit = decode_wait_status(status);
  if (exit.ok()) return seen;
  if (exit.signal)
    return Error(Error::failed, fmt::format("{}: ssh was {}", app::text(host_), holdall::text(exit)));
  return ssh_error(host_, exit.code, read_all(said_));
}

}  // namespace holdall::cli
