#include "cli/secret_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "base/error.h"
#include "base/fd.h"

namespace holdall::cli {
namespace {

// What can be sealed (64 KiB), and a newline.
constexpr std::size_t kMostValue = (std::size_t{64} << 10) + 1;
// What a terminal gives as one line; it drops what is longer without a word.
constexpr std::size_t kMostLine = 4095;

/// A terminal that does not show what is typed, as long as this lives; what ends the process meanwhile is
/// kept back, so that the terminal never stays so.
class HiddenTerminal {
 public:
  HiddenTerminal() {
    sigemptyset(&ending_);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&ending_, signal);
    sigprocmask(SIG_BLOCK, &ending_, &before_);
    signals_ = Fd(checked(signalfd(-1, &ending_, SFD_CLOEXEC | SFD_NONBLOCK), "watch for signals"));
    checked(tcgetattr(0, &shown_), "look at the terminal");
    termios hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    checked(tcsetattr(0, TCSAFLUSH, &hidden), "hide what is typed");
  }

  ~HiddenTerminal() {
    tcsetattr(0, TCSAFLUSH, &shown_);
    std::cerr << std::endl;
    signalfd_siginfo signal;
    bool ended = read(signals_.get(), &signal, sizeof signal) == sizeof signal;
    sigprocmask(SIG_SETMASK, &before_, nullptr);
    if (ended) raise(static_cast<int>(signal.ssi_signo));
  }

  HiddenTerminal(const HiddenTerminal&) = delete;

  /// A line with its newline, or less at the end of the input or when a signal has come. Who sees the prompt
  /// may type: nothing is shown any more.
  Secret ask(const std::string& prompt) {
    std::cerr << prompt << std::flush;
    Secret typed = Secret::zeros(kMostLine + 1);
    pollfd watched[] = {{0, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    while (poll(watched, 2, -1) < 0 && errno == EINTR) {
    }
    if (watched[1].revents) return Secret();
    ssize_t got = read(0, typed.data(), typed.size());
    return Secret(typed.view().substr(0, got > 0 ? static_cast<std::size_t>(got) : 0));
  }

 private:
  sigset_t ending_, before_;
  termios shown_;
  Fd signals_;
};

/// All that `fd` gives, up to `most` bytes; one more byte of them says that there is more.
Secret read_all(int fd, std::size_t most) {
  Secret buffer = Secret::zeros(most + 1);
  std::size_t used = 0;
  while (used < buffer.size()) {
    ssize_t got = read(fd, buffer.data() + used, buffer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(Error::failed, "read the value", errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  return Secret(buffer.view().substr(0, used));
}

Secret without_newline(const Secret& text) {
  std::string_view view = text.view();
  if (view.ends_with('\n')) view.remove_suffix(1);
  return Secret(view);
}

}  // namespace

Secret read_secret(const std::string& prompt) {
  Secret value;
  if (isatty(0)) {
    Secret typed = HiddenTerminal().ask(prompt);
    if (typed.size() > kMostLine) {
      throw Error(Error::invalid, "a terminal takes no longer line than this: give the value on stdin");
    }
    value = without_newline(typed);
  } else {
    Secret given = read_all(0, kMostValue);
    if (given.size() > kMostValue) throw Error(Error::invalid, "a value has 64 KiB at most");
    value = without_newline(given);
  }
  if (value.empty()) throw Error(Error::invalid, "no value was given: nothing is sealed");
  return value;
}

Secret read_key_text(const std::string& file) {
  constexpr std::size_t kMost = 256;  // a key has 64 characters
  Fd opened;
  if (file != "-") {
    opened = Fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) throw_errno(errno == ENOENT ? Error::missing : Error::denied, "open " + file, errno);
  }
  Secret text = read_all(opened ? opened.get() : 0, kMost);
  return without_newline(text);
}

std::optional<PrivateKey> private_key(Invocation& call, const std::optional<std::string>& file) {
  if (!file) return call.key ? std::optional(PrivateKey::parse(call.key->view())) : std::nullopt;
  try {
    return PrivateKey::parse(read_key_text(*file).view());
  } catch (const Error& error) {
    throw error.during(*file);
  }
}

}  // namespace holdall::cli
