#include "api/feed.h"

#include "base/error.h"
#include "base/log.h"
#include "net/sse.h"

namespace holdall::api {
namespace {

// Beyond what the loop keeps for a connection: enough to keep it busy, little enough for hundreds of streams.
constexpr std::size_t kMostQueued = 128 << 10;

class FeedSource final : public net::StreamSource {
 public:
  FeedSource(TaskGroup& tasks, std::string name, std::function<void(Feed&, const std::stop_token&)> produce)
      : tasks_(tasks), name_(std::move(name)), produce_(std::move(produce)) {}
  ~FeedSource() override { feed_->close(); }

  void start(std::function<void()> wake) override {
    feed_->start(std::move(wake));
    tasks_.start(name_, [feed = feed_, produce = std::move(produce_)](const std::stop_token& stop) {
      // A thread that waits for its client wakes up at the end of everything.
      std::stop_callback end(stop, [&] { feed->close(); });
      try {
        produce(*feed, stop);
      } catch (const Error& error) {
        // What is streamed went away meanwhile; a client that asks again hears it as an answer.
        log::info("api.stream", error.what());
      }
      feed->finish();
    });
  }

  std::optional<std::string> next() override { return feed_->next(); }

 private:
  TaskGroup& tasks_;
  std::string name_;
  std::function<void(Feed&, const std::stop_token&)> produce_;
  std::shared_ptr<Feed> feed_ = std::make_shared<Feed>();
};

}  // namespace

bool Feed::push(std::string_view event, const Json& data, std::string_view id) {
  std::string text = net::sse_event(event, data, id);
  std::function<void()> wake;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || queued_.size() < kMostQueued; });
    if (closed_) return false;
    queued_ += text;
    wake = wake_;
  }
  if (wake) wake();
  return true;
}

void Feed::finish() {
  std::function<void()> wake;
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
    wake = wake_;
  }
  if (wake) wake();
}

bool Feed::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool Feed::wait_closed(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.at(), [&] { return closed_; });
}

void Feed::start(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

std::optional<std::string> Feed::next() {
  std::string bytes;
  {
    std::lock_guard lock(mutex_);
    if (queued_.empty() && finished_) return std::nullopt;
    bytes.swap(queued_);
  }
  changed_.notify_all();
  return bytes;
}

void Feed::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    wake_ = nullptr;
  }
  changed_.notify_all();
}

std::unique_ptr<net::StreamSource> make_stream(TaskGroup& tasks, std::string name,
                                               std::function<void(Feed&, const std::stop_token&)> produce) {
  return std::make_unique<FeedSource>(tasks, std::move(name), std::move(produce));
}

net::Response stream_response(std::unique_ptr<net::StreamSource> source) {
  net::Response response{
      .content_type = "text/event-stream", .body = {}, .headers = {}, .stream = std::move(source)};
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace holdall::api
