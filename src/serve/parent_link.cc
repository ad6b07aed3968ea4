#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "net/handover.h"
#include "serve/serve.h"

namespace holdall::serve {
namespace {

[[noreturn]] void throw_gone() { throw Error(Error::missing, "serve has gone"); }

}  // namespace

struct ParentLink::Impl {
  explicit Impl(Fd connected) : socket(std::move(connected)), reader([this] { read(); }) {}
  ~Impl() {
    shutdown(socket.get(), SHUT_RDWR);
    reader.join();
  }

  void read();
  void take(net::Handover message);
  net::Handover ask(const Json& request, const std::vector<int>& fds = {});

  const Fd socket;
  const Fd ended = make_event();  ///< readable once the parent is gone, and for ever after
  const Fd news = make_event();   ///< poked for `router` and `gone`

  std::mutex asking;  ///< held through a round trip: serve answers in order, and one at a time is enough
  std::mutex mutex;
  std::condition_variable changed;
  // Under `mutex`.
  std::optional<net::Handover> answer;
  std::optional<Fd> router;
  bool gone = false;

  std::thread reader;  ///< last: it uses all of the above
};

/// What serve says: an answer, or a router, unasked.
void ParentLink::Impl::read() {
  try {
    while (auto message = net::receive(socket, Deadline::never())) take(std::move(*message));
  } catch (const Error&) {
    // Gone; or it speaks what we do not know, which for us is the same.
  }
  {
    std::lock_guard lock(mutex);
    gone = true;
  }
  poke(ended);
  poke(news);
  changed.notify_all();
}

void ParentLink::Impl::take(net::Handover message) {
  {
    std::lock_guard lock(mutex);
    if (message.body.string_or("type", "") != "router") {
      answer = std::move(message);
    } else if (message.fds.size() == 1) {
      router = std::move(message.fds[0]);
      poke(news);
    }
  }
  changed.notify_all();
}

net::Handover ParentLink::Impl::ask(const Json& request, const std::vector<int>& fds) {
  std::lock_guard turn(asking);
  if (!net::send(socket, request, fds, Deadline::never())) throw_gone();
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer || gone; });
  if (!answer) throw_gone();
  net::Handover out = std::move(*answer);
  answer.reset();
  if (out.body.at("type").string() == "error") {
    throw Error(parse_kind(out.body.at("kind").string()), out.body.at("message").string());
  }
  return out;
}

ParentLink::ParentLink(Fd socket) : impl_(std::make_unique<Impl>(std::move(socket))) {}

ParentLink::~ParentLink() = default;

void ParentLink::bind(const std::string& name, const net::Address& address) {
  impl_->ask(Json::object({{"type", "bind"}, {"name", name}, {"address", net::text(address)}}));
}

void ParentLink::keep_only(const std::vector<std::string>& names) {
  impl_->ask(Json::object({{"type", "keep_only"}, {"names", Json::Array(names.begin(), names.end())}}));
}

void ParentLink::keep_table(const Fd& sealed_memfd) {
  impl_->ask(Json::object({{"type", "keep_table"}}), {sealed_memfd.get()});
}

void ParentLink::keep_output(const std::string& instance, const Fd& out, const Fd& err) {
  impl_->ask(Json::object({{"type", "keep_output"}, {"instance", instance}}), {out.get(), err.get()});
}

std::optional<std::pair<Fd, Fd>> ParentLink::take_output(const std::string& instance) {
  auto answer = impl_->ask(Json::object({{"type", "take_output"}, {"instance", instance}}));
  if (!answer.body.boolean_or("found", false)) return std::nullopt;
  if (answer.fds.size() != 2) throw Error(Error::broken, "serve lost the output of " + instance);
  return std::pair(std::move(answer.fds[0]), std::move(answer.fds[1]));
}

void ParentLink::drop_output(const std::string& instance) {
  impl_->ask(Json::object({{"type", "drop_output"}, {"instance", instance}}));
}

std::optional<Fd> ParentLink::router_link(Deadline deadline) {
  for (;;) {
    {
      std::lock_guard lock(impl_->mutex);
      if (impl_->router || impl_->gone) return std::exchange(impl_->router, std::nullopt);
    }
    pollfd news{impl_->news.get(), POLLIN, 0};
    int ready = poll(&news, 1, deadline.poll_ms());
    if (ready < 0 && errno != EINTR) throw_errno(Error::broken, "wait for a router", errno);
    if (ready == 0) return std::nullopt;
    clear(impl_->news);
  }
}

void ParentLink::exit() { impl_->ask(Json::object({{"type", "exit"}})); }

bool ParentLink::gone() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->gone;
}

int ParentLink::descriptor() const { return impl_->ended.get(); }

}  // namespace holdall::serve
