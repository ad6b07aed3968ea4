#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "net/socket.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// The API's backlog takes a connection at once, also while control is started again.
constexpr auto kConnectTimeout = 30s;
constexpr std::size_t kMostAtOnce = 64 << 10;

/// Bytes on their way from one descriptor to another; neither blocks.
class Flow {
 public:
  Flow(int from, int to) : from_(from), to_(to) {}

  bool wants_more() const { return !ended_ && waiting_.empty(); }
  bool has_some() const { return !waiting_.empty(); }
  bool is_over() const { return ended_ && waiting_.empty(); }

  void read() {
    waiting_.resize(kMostAtOnce);
    ssize_t got = ::read(from_, waiting_.data(), waiting_.size());
    int error = errno;
    waiting_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (got == 0 || (got < 0 && error != EAGAIN && error != EINTR)) ended_ = true;
  }

  /// False: nobody is there to take it.
  bool write() {
    ssize_t put = ::write(to_, waiting_.data(), waiting_.size());
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    waiting_.erase(0, static_cast<std::size_t>(put));
    return true;
  }

 private:
  const int from_, to_;
  std::string waiting_;
  bool ended_ = false;
};

void never_block(int fd) {
  checked(fcntl(fd, F_SETFL, checked(fcntl(fd, F_GETFL), "ask how a stream is read") | O_NONBLOCK),
          "set how a stream is read");
}

/// Copies both ways until the API has said all, or nobody reads it any more. That nothing more comes from
/// stdin is passed on, and what the API has still to say is not lost.
void copy(const Fd& api) {
  Flow in(STDIN_FILENO, api.get()), out(api.get(), STDOUT_FILENO);
  bool api_reads = true;
  for (;;) {
    if (out.is_over()) return;
    if (api_reads && in.is_over()) {
      shutdown(api.get(), SHUT_WR);
      api_reads = false;
    }
    auto events = [](bool read, bool write) {
      return static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
    };
    // A descriptor of which nothing is wanted is left out: the end of stdin would be told for ever.
    pollfd input{in.wants_more() ? STDIN_FILENO : -1, POLLIN, 0};
    short wanted = events(out.wants_more(), in.has_some() && api_reads);
    pollfd server{wanted ? api.get() : -1, wanted, 0};
    pollfd output{STDOUT_FILENO, events(false, out.has_some()), 0};
    std::array<pollfd, 3> all{input, server, output};
    if (poll(all.data(), all.size(), -1) < 0 && errno != EINTR) throw_errno(Error::broken, "wait", errno);
    if (all[0].revents) in.read();
    if (all[1].revents && out.wants_more()) out.read();
    if (in.has_some() && api_reads) api_reads = in.write();
    if (out.has_some() && !out.write()) return;
    if (all[2].revents & (POLLERR | POLLNVAL)) return;
  }
}

}  // namespace

int stdio(Invocation& call) {
  std::optional<std::string> as;
  Options options(call, "  ssh deploy@shop.example holdall stdio");
  options.value("--as", as, "NAME", "whom the connection is introduced as: what a key of `access add` runs");
  if (!options.parse()) return 0;
  net::Address address = socket_at(call.globals.host ? *call.globals.host : local_api());
  Fd api = net::connect(address, Deadline::after(kConnectTimeout));
  // A new connection takes a line at once.
  if (as) write_all(api.get(), fmt::format("as {}\n", *as));
  std::signal(SIGPIPE, SIG_IGN);
  never_block(STDIN_FILENO);
  never_block(STDOUT_FILENO);
  copy(api);
  return 0;
}

}  // namespace holdall::cli
