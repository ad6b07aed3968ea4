#include "api/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/error.h"

namespace holdall::api {
namespace {

using wire::Frame;

// What waits for the client, or for the program, before the other is made to wait: some screens full.
constexpr std::size_t kMostWaiting = 128 << 10;

// Once a program has ended its client gets what it said last; one that takes none of it in this time is gone.
constexpr auto kLastWords = std::chrono::seconds(30);

constexpr char kEndOfInput = 4;  // Ctrl-D, as a terminal is told it

void unblock(const Fd& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

void resize(const Fd& terminal, wire::WindowSize size) {
  winsize window{.ws_row = size.rows, .ws_col = size.columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ioctl(terminal.get(), TIOCSWINSZ, &window);
}

/// Our ends of the program's descriptors; with a terminal, all are the one.
struct Ends {
  Fd in, out, err, terminal;

  const Fd& input() const { return terminal ? terminal : in; }
  const Fd& output() const { return terminal ? terminal : out; }
};

std::unique_ptr<engine::Process> start_on_terminal(const Start& start, wire::WindowSize size, Ends& ours) {
  ours.terminal = Fd(checked(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), "make a terminal"));
  std::array<char, 64> name;
  checked(grantpt(ours.terminal.get()), "make a terminal");
  checked(unlockpt(ours.terminal.get()), "make a terminal");
  if (ptsname_r(ours.terminal.get(), name.data(), name.size()) != 0)
    throw_errno(Error::broken, "make a terminal", errno);
  Fd theirs(checked(open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC), "open a terminal"));
  resize(ours.terminal, size);
  unblock(ours.terminal);
  return start({theirs, theirs, theirs});
}

std::unique_ptr<engine::Process> start_on_pipes(const Start& start, Ends& ours) {
  Pipe in = make_pipe(0), out = make_pipe(0), err = make_pipe(0);
  auto process = start({in.read, out.write, err.write});
  ours.in = std::move(in.write);
  ours.out = std::move(out.read);
  ours.err = std::move(err.read);
  for (const Fd* end : {&ours.in, &ours.out, &ours.err}) unblock(*end);
  return process;
}

class Session {
 public:
  Session(net::Upgraded connection, const std::stop_token& stop, Patience patience)
      : bytes_(std::move(connection.bytes)),
        patience_(patience),
        stopped_(make_event()),
        on_stop_(stop, [this] { poke(stopped_); }),
        heard_(BootClock::now()),
        said_(heard_) {
    reader_.feed(connection.received);
  }

  /// False if it could not be started; the client has been told then.
  bool start(const Start& start, const std::optional<wire::WindowSize>& terminal) {
    try {
      process_ = terminal ? start_on_terminal(start, *terminal, ours_) : start_on_pipes(start, ours_);
      return true;
    } catch (const Error& error) {
      say_last(Frame::failure, error.what());
      return false;
    }
  }

  std::optional<int> attend() {
    while (!gone_) {
      take_input();
      give_input();
      bool ended = has_ended();
      take_output();
      flush();
      if (ended) return finish();
      wait();
      if (is_stopped()) {
        say_last(Frame::failure, "the server is being stopped, and the program was ended");
        return std::nullopt;
      }
      keep_alive();
    }
    return std::nullopt;
  }

 private:
  bool has_ended() const {
    pollfd ended{process_->ended().get(), POLLIN, 0};
    return poll(&ended, 1, 0) > 0;
  }
  bool is_stopped() const {
    pollfd stopped{stopped_.get(), POLLIN, 0};
    return poll(&stopped, 1, 0) > 0;
  }

  void wait() {
    short to_client = out_.empty() ? short{0} : bytes_->waits_for();
    short from_client = in_.size() < kMostWaiting ? short{POLLIN} : short{0};
    auto reads = [&](const Fd& from) {
      return pollfd{out_.size() < kMostWaiting ? from.get() : -1, POLLIN, 0};
    };
    std::array watched{pollfd{bytes_->socket().get(), static_cast<short>(to_client | from_client), 0},
                       pollfd{process_->ended().get(), POLLIN, 0},
                       pollfd{stopped_.get(), POLLIN, 0},
                       pollfd{in_.empty() ? -1 : ours_.input().get(), POLLOUT, 0},
                       reads(ours_.output()),
                       reads(ours_.err)};
    Deadline next(std::min(said_ + patience_.say, heard_ + patience_.hear));
    poll(watched.data(), watched.size(), next.poll_ms());
    if (watched[0].revents & POLLERR) gone_ = true;
  }

  void keep_alive() {
    Instant now = BootClock::now();
    if (now >= heard_ + patience_.hear) gone_ = true;
    if (now >= said_ + patience_.say && out_.empty()) say(Frame::alive);
  }

  void say(Frame::Kind kind, std::string_view data = {}) {
    out_ += wire::frame(kind, data);
    flush();
  }

  void flush() {
    while (!out_.empty() && !gone_) {
      ssize_t sent = bytes_->send(out_);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) {
        gone_ = true;
        return;
      }
      out_.erase(0, static_cast<std::size_t>(sent));
      said_ = BootClock::now();
    }
  }

  /// What the client says, as much as there is room for.
  void take_input() {
    std::array<char, 16 << 10> buffer;
    while (in_.size() < kMostWaiting && !gone_) {
      while (auto frame = reader_.next()) act_on(*frame);
      ssize_t got = bytes_->receive(buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        gone_ = true;
        return;
      }
      heard_ = BootClock::now();
      reader_.feed({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

  void act_on(const Frame& frame) {
    switch (frame.kind) {
      case Frame::input: in_ += frame.data; break;
      case Frame::input_end:
        input_ended_ = true;
        if (ours_.terminal) in_ += kEndOfInput;
        break;
      case Frame::window:
        if (ours_.terminal) resize(ours_.terminal, wire::parse_window(frame.data));
        break;
      case Frame::signal:
        if (frame.data.size() == 1) process_->signal(frame.data[0]);
        break;
      default: break;  // alive, and what later clients may say
    }
  }

  /// To the program. One that has closed its input gets no more, and that is its own affair.
  void give_input() {
    while (!in_.empty() && ours_.input()) {
      ssize_t written = write(ours_.input().get(), in_.data(), in_.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EAGAIN) return;
      if (written < 0) {
        in_.clear();
        ours_.in.reset();
        return;
      }
      in_.erase(0, static_cast<std::size_t>(written));
    }
    if (!ours_.input()) in_.clear();
    if (input_ended_) ours_.in.reset();
  }

  void take_output() {
    // A terminal that nobody has open any more is read no further.
    bool open = take_output(ours_.output(), Frame::output);
    if (!open) (ours_.terminal ? ours_.terminal : ours_.out).reset();
    if (!take_output(ours_.err, Frame::error_output)) ours_.err.reset();
  }

  /// False at the end.
  bool take_output(const Fd& from, Frame::Kind kind) {
    std::array<char, 16 << 10> buffer;
    while (from && out_.size() < kMostWaiting) {
      ssize_t got = read(from.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return true;
      if (got <= 0) return false;
      say(kind, {buffer.data(), static_cast<std::size_t>(got)});
    }
    return true;
  }

  /// The program and all it started are gone: what it said last is still to be told.
  std::optional<int> finish() {
    int code = process_->exit_code();
    Deadline patience = Deadline::after(kLastWords);
    auto left = [&](const Fd& from) {
      pollfd readable{from ? from.get() : -1, POLLIN, 0};
      return poll(&readable, 1, 0) > 0;
    };
    while (!gone_ && !patience.passed() && (left(ours_.output()) || left(ours_.err))) {
      take_output();
      if (out_.size() >= kMostWaiting) wait_for_client(patience);
    }
    return say_last(Frame::exit, fmt::format("{}", code)) ? std::optional(code) : std::nullopt;
  }

  bool say_last(Frame::Kind kind, std::string_view data) {
    say(kind, data);
    for (Deadline patience = Deadline::after(kLastWords); !out_.empty() && !gone_ && !patience.passed();)
      wait_for_client(patience);
    return out_.empty();
  }

  void wait_for_client(Deadline patience) {
    pollfd writable{bytes_->socket().get(), bytes_->waits_for(), 0};
    poll(&writable, 1, patience.poll_ms());
    flush();
  }

  const std::unique_ptr<net::Stream> bytes_;
  const Patience patience_;
  const Fd stopped_;
  const std::stop_callback<std::function<void()>> on_stop_;
  wire::FrameReader reader_;
  Ends ours_;
  std::unique_ptr<engine::Process> process_;
  std::string in_;   ///< for the program
  std::string out_;  ///< for the client
  bool input_ended_ = false, gone_ = false;
  Instant heard_, said_;
};

}  // namespace

std::optional<int> carry(net::Upgraded connection, const Start& start,
                         const std::optional<wire::WindowSize>& terminal, const std::stop_token& stop,
                         Patience patience) {
  net::NoSigpipe no_sigpipe;
  Session session(std::move(connection), stop, patience);
  if (!session.start(start, terminal)) return std::nullopt;
  return session.attend();
}

}  // namespace holdall::api
