#include "api/visits.h"

#include <sys/socket.h>

#include <mutex>

namespace holdall::api {

/// One thing that is open: how to end it, as long as there is something to end.
class Visits::Open {
 public:
  explicit Open(Allowed allowed) : allowed_(std::move(allowed)) {}

  /// How it ends; called at once if it is to end already.
  void begin(std::function<void()> end) {
    std::lock_guard lock(mutex_);
    end_ = std::move(end);
    if (ended_) end_();
  }
  void forget() {
    std::lock_guard lock(mutex_);
    end_ = nullptr;
  }

  void look() {
    if (allowed_()) return;
    std::lock_guard lock(mutex_);
    ended_ = true;
    // Under the lock, so that what it ends is still there. Neither way of ending waits.
    if (end_) end_();
  }
  bool ended() const {
    std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  const Allowed allowed_;
  mutable std::mutex mutex_;
  // Under the mutex.
  std::function<void()> end_;
  bool ended_ = false;
};

namespace {

class WatchedStream final : public net::StreamSource {
 public:
  WatchedStream(std::unique_ptr<net::StreamSource> source, std::shared_ptr<Visits::Open> open)
      : source_(std::move(source)), open_(std::move(open)) {}
  ~WatchedStream() override { open_->forget(); }

  void start(std::function<void()> wake) override {
    source_->start(wake);
    open_->begin(std::move(wake));
  }
  std::optional<std::string> next() override { return open_->ended() ? std::nullopt : source_->next(); }

 private:
  const std::unique_ptr<net::StreamSource> source_;
  const std::shared_ptr<Visits::Open> open_;
};

class WatchedBytes final : public net::Stream {
 public:
  WatchedBytes(std::unique_ptr<net::Stream> bytes, std::shared_ptr<Visits::Open> open)
      : bytes_(std::move(bytes)), open_(std::move(open)) {
    open_->begin([this] { shutdown(socket().get(), SHUT_RDWR); });
  }
  ~WatchedBytes() override { open_->forget(); }

  ssize_t send(std::string_view bytes) override { return bytes_->send(bytes); }
  ssize_t receive(char* buffer, std::size_t size) override { return bytes_->receive(buffer, size); }
  short waits_for() const override { return bytes_->waits_for(); }
  const Fd& socket() const override { return bytes_->socket(); }
  bool is_plain() const override { return bytes_->is_plain(); }

 private:
  const std::unique_ptr<net::Stream> bytes_;
  const std::shared_ptr<Visits::Open> open_;
};

}  // namespace

void Visits::watch(net::Response& response, Allowed allowed) {
  if (!response.stream && !response.upgrade) return;
  auto open = std::make_shared<Open>(std::move(allowed));
  {
    auto all = open_.lock();
    std::erase_if(*all, [](const std::weak_ptr<Open>& one) { return one.expired(); });
    all->push_back(open);
  }
  open->look();  // the right may have gone since the call was checked
  if (response.stream) {
    response.stream = std::make_unique<WatchedStream>(std::move(response.stream), std::move(open));
    return;
  }
  response.upgrade = [upgrade = std::move(response.upgrade), open](net::Upgraded connection) {
    connection.bytes = std::make_unique<WatchedBytes>(std::move(connection.bytes), open);
    upgrade(std::move(connection));
  };
}

void Visits::look() {
  std::vector<std::weak_ptr<Open>> all = *open_.lock();
  std::vector<std::shared_ptr<Open>> open;
  for (const std::weak_ptr<Open>& one : all) {
    if (auto there = one.lock()) open.push_back(std::move(there));
  }
  for (const std::shared_ptr<Open>& one : open) one->look();
}

}  // namespace holdall::api
