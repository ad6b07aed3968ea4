#include "cli/attached.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/guarded.h"
#include "base/tasks.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;
using wire::Frame;

constexpr int kHoldallFailed = 125;  // as docker and podman say that it was not the program
constexpr int kSignalled = 128;

constexpr auto kSayAlive = 10s;  // the server waits for three of them
constexpr auto kHearAlive = 45s;
// What waits for the server before no more is read from our input.
constexpr std::size_t kMostWaiting = 128 << 10;

constexpr const char* kLost =
    "the connection to the server was lost; it ends what was run, with all that this started";

wire::WindowSize window_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

/// While it lives, each key goes to the program as it is typed.
class RawTerminal {
 public:
  RawTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    cfmakeraw(&raw);
    raw_ = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  ~RawTerminal() { restore(); }
  RawTerminal(const RawTerminal&) = delete;

  void restore() {
    if (std::exchange(raw_, false)) tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

 private:
  termios before_{};
  bool raw_ = false;
};

/// The signals that are the program's, or that say how large the window is, as a descriptor.
Fd watch_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return Fd(checked(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "watch for signals"));
}

/// The connection as two threads use it: one carries, one says that we are alive though the other waits for
/// somebody to read our output.
class Line {
 public:
  explicit Line(net::UpgradeAnswer answer) : descriptor_(answer.bytes->socket().get()) {
    auto state = state_.lock();
    state->bytes = std::move(answer.bytes);
    state->reader.feed(answer.received);
  }

  int descriptor() const { return descriptor_; }

  void say(Frame::Kind kind, std::string_view data = {}) {
    auto state = state_.lock();
    state->out += wire::frame(kind, data);
    flush(*state);
  }

  /// Sends what waits; how much still does.
  std::size_t flush() {
    auto state = state_.lock();
    flush(*state);
    return state->out.size();
  }

  /// All messages that have come; nothing once the other end is gone.
  std::optional<std::vector<Frame>> hear() {
    auto state = state_.lock();
    std::array<char, 16 << 10> buffer;
    ssize_t got = state->bytes->receive(buffer.data(), buffer.size());
    if (got > 0) state->reader.feed({buffer.data(), static_cast<std::size_t>(got)});
    std::vector<Frame> frames;
    while (auto frame = state->reader.next()) frames.push_back(std::move(*frame));
    bool ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    if (ended && frames.empty()) return std::nullopt;
    return frames;
  }

 private:
  struct State {
    std::unique_ptr<net::Stream> bytes;
    wire::FrameReader reader;
    std::string out;
  };

  static void flush(State& state) {
    while (!state.out.empty()) {
      ssize_t sent = state.bytes->send(state.out);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return;  // later; an end is noticed by who reads
      state.out.erase(0, static_cast<std::size_t>(sent));
    }
  }

  Guarded<State> state_;
  const int descriptor_;
};

/// False if nobody reads it any more.
bool print(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(to, bytes.data(), bytes.size());
    if (written < 0 && errno == EPIPE) return false;
    if (written < 0 && errno == EAGAIN) {
      pollfd writable{to, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      throw_errno(Error::failed, "write what the program says", errno);
    }
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

class Attached {
 public:
  Attached(net::UpgradeAnswer answer, Fd signals, bool terminal)
      : signals_(std::move(signals)), terminal_(terminal), line_(std::move(answer)), stop_(make_event()) {
    if (terminal_) raw_.emplace();
    alive_.start("alive", [this](const std::stop_token& stop) {
      pollfd ended{stop_.get(), POLLIN, 0};
      while (!stop.stop_requested()) {
        if (poll(&ended, 1, Deadline::after(kSayAlive).poll_ms()) == 0) line_.say(Frame::alive);
      }
    });
  }
  ~Attached() {
    poke(stop_);
    alive_.stop();
  }

  int run() {
    std::optional<int> code = listen();
    for (Deadline silent = Deadline::after(kHearAlive); !code;) {
      std::size_t waiting = line_.flush();
      bool reads = !input_ended_ && waiting < kMostWaiting;
      auto events = static_cast<short>(POLLIN | (waiting ? POLLOUT : 0));
      std::array watched{pollfd{line_.descriptor(), events, 0}, pollfd{signals_.get(), POLLIN, 0},
                         pollfd{reads ? STDIN_FILENO : -1, POLLIN, 0}};
      if (poll(watched.data(), watched.size(), silent.poll_ms()) < 0 && errno != EINTR)
        throw_errno(Error::broken, "wait for the server", errno);
      if (watched[1].revents) code = take_signal();
      if (watched[2].revents) take_input();
      if (!code && (watched[0].revents & ~POLLOUT)) {
        code = listen();
        silent = Deadline::after(kHearAlive);
      } else if (silent.passed()) {
        throw Error(Error::failed, kLost);
      }
    }
    return *code;
  }

 private:
  /// The exit code, once it has come.
  std::optional<int> listen() {
    auto frames = line_.hear();
    if (!frames) throw Error(Error::failed, kLost);
    return take(*frames);
  }

  std::optional<int> take(const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) {
      bool read = frame.kind == Frame::output         ? print(STDOUT_FILENO, frame.data)
                  : frame.kind == Frame::error_output ? print(STDERR_FILENO, frame.data)
                                                      : true;
      if (!read) return kSignalled + SIGPIPE;
      if (frame.kind == Frame::failure) throw Error(Error::failed, frame.data);
      if (frame.kind != Frame::exit) continue;
      int code = kHoldallFailed;
      std::from_chars(frame.data.data(), frame.data.data() + frame.data.size(), code);
      return code;
    }
    return std::nullopt;
  }

  void take_input() {
    std::array<char, 16 << 10> buffer;
    ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    input_ended_ = got <= 0;
    if (got > 0) line_.say(Frame::input, {buffer.data(), static_cast<std::size_t>(got)});
    if (input_ended_) line_.say(Frame::input_end);
  }

  /// With a terminal of its own the program gets its Ctrl-C as a key; else it gets the signal, and the second
  /// one is ours. A hang-up is ours always: there is nobody left.
  std::optional<int> take_signal() {
    signalfd_siginfo info;
    if (read(signals_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) {
      if (terminal_) line_.say(Frame::window, wire::window_data(window_size()));
      return std::nullopt;
    }
    if (terminal_ || number == SIGHUP || std::exchange(told_, true)) return kSignalled + number;
    line_.say(Frame::signal, std::string(1, static_cast<char>(number)));
    return std::nullopt;
  }

  const Fd signals_;
  const bool terminal_;
  Line line_;
  const Fd stop_;
  std::optional<RawTerminal> raw_;
  bool input_ended_ = false, told_ = false;
  TaskGroup alive_;
};

}  // namespace

void ProgramOptions::define(Options& options) {
  options.values("-e,--env", environment, "NAME=VALUE", "a variable; NAME alone: with the value it has here");
  options.value("-w,--workdir", working_dir, "DIR", "where it begins; relative to the artefact");
  options.value("-u,--user", user, "USER", "refused where it is not the service's own");
  options.flag("-T,--no-TTY", no_terminal, "no terminal, though there is one here");
  options.flag("-d,--detach", request.detach, "return at once; nobody attends it");
  options.flag("-i,--interactive", interactive, "as it is without: stdin is the program's");
  options.flag("-t,--tty", terminal, "as it is without: a terminal where there is one here");
}

void ProgramOptions::take() {
  auto ours = cli::environment();
  bool has_terminal = !no_terminal && !request.detach && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  if (has_terminal) request.terminal = window_size();
  if (auto kind = ours.find("TERM"); has_terminal && kind != ours.end())
    request.environment["TERM"] = kind->second;
  for (const std::string& one : environment) {
    std::size_t equals = one.find('=');
    std::string name = one.substr(0, equals);
    if (name.empty()) throw Error(Error::invalid, fmt::format("--env {}: write NAME=VALUE", one));
    auto own = ours.find(name);
    if (equals != one.npos) {
      request.environment[name] = one.substr(equals + 1);
    } else if (own != ours.end()) {
      request.environment[name] = own->second;
    }
  }
  request.working_dir = working_dir.value_or("");
  request.user = user.value_or("");
}

int attend(Server& server, const std::string& target, const wire::ProgramRequest& request) {
  // Before the program can need them.
  Fd signals = watch_signals();
  net::NoSigpipe no_sigpipe;
  net::UpgradeAnswer answer = server.upgrade(target, wire::to_json(request), wire::kTerminalProtocol);
  return Attached(std::move(answer), std::move(signals), request.terminal.has_value()).run();
}

int program_code(Invocation& call, const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& error) {
    Terminal errors(STDERR_FILENO, call.globals.ansi);
    errors.line(errors.paint(Colour::red, "error: ") + error.what());
    return kHoldallFailed;
  }
}

}  // namespace holdall::cli
