#include <sys/socket.h>

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
  const Fd news = make_event();   ///< poked for `routers` and `gone`

  std::mutex asking;  ///< held through a round trip: serve answers in order, and one at a time is enough
  std::mutex mutex;
  std::condition_variable changed;
  // Under `mutex`.
  std::optional<net::Handover> answer;
  RouterNews routers;
  bool gone = false;

  std::thread reader;  ///< last: it uses all of the above
};

/// What serve says: an answer, or of routers, unasked.
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
    std::string type = message.body.string_or("type", "");
    bool one = message.fds.size() == 1;
    if (type == "router") {
      if (one) routers.links.push_back(std::move(message.fds[0]));
    } else if (type == "counted") {
      if (one) routers.counted[message.body.string_or("epoch", "")] = std::move(message.fds[0]);
    } else {
      answer = std::move(message);
    }
    poke(news);
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

void ParentLink::ready() { impl_->ask(Json::object({{"type", "ready"}})); }

ParentLink::RouterNews ParentLink::router_news() {
  std::lock_guard lock(impl_->mutex);
  clear(impl_->news);
  return std::exchange(impl_->routers, {});
}

int ParentLink::news_descriptor() const { return impl_->news.get(); }

void ParentLink::exit() { impl_->ask(Json::object({{"type", "exit"}})); }

bool ParentLink::gone() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->gone;
}

int ParentLink::descriptor() const { return impl_->ended.get(); }

}  // namespace holdall::serve
