#include "api/log_stream.h"

#include <algorithm>
#include <deque>

#include "base/error.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// Files tell nobody that they grew. A line is shown within this time, which people do not notice, and looking
// costs a few stats.
constexpr auto kLookAgain = 20ms;
// A directory listing costs more, and an instance that starts has output only after some milliseconds.
constexpr auto kListAgain = 200ms;
constexpr std::size_t kBatch = 256;

/// One instance's lines, a few of them read ahead.
struct Tail {
  logs::InstanceLog log;
  logs::Reader reader;
  std::deque<logs::Line> ahead;
  std::uint64_t dropped = 0;

  void read_ahead(bool ended) {
    if (!ahead.empty()) return;
    for (logs::Line& line : reader.next(kBatch, ended)) ahead.push_back(std::move(line));
  }
};

class LogStream {
 public:
  LogStream(const LogQuery& query, const std::filesystem::path& logs, const supervise::Supervisor& supervisor,
            Feed& feed)
      : query_(query), logs_(logs), supervisor_(supervisor), feed_(feed) {}

  void run(const std::stop_token& stop) {
    begin();
    Instant listed = BootClock::now();
    while (!stop.stop_requested()) {
      if (BootClock::now() - listed >= kListAgain) {
        discover();
        listed = BootClock::now();
      }
      read_ahead();
      if (!push_ahead()) return;
      bool more =
          std::any_of(tails_.begin(), tails_.end(), [](const Tail& tail) { return !tail.ahead.empty(); });
      if (more || progress_) continue;
      if (!query_.follow || feed_.wait_closed(Deadline::after(kLookAgain))) return;
    }
  }

 private:
  /// What there is at the beginning: from the client's cursors, or the last lines, or all.
  void begin() {
    std::vector<logs::InstanceLog> all = selected();
    if (!query_.from.empty() || !query_.tail) {
      for (logs::InstanceLog& log : all) add(std::move(log));
      return;
    }
    std::map<std::pair<std::string, int>, std::size_t> wanted;
    for (auto log = all.rbegin(); log != all.rend(); ++log) {
      std::size_t& left = wanted.try_emplace({log->service, log->slot}, *query_.tail).first->second;
      add_tail(*log, left);
    }
    // Lines of the same instant are told in the order of their instances.
    std::ranges::reverse(tails_);
  }

  std::vector<logs::InstanceLog> selected() const {
    std::vector<logs::InstanceLog> all = logs::list(logs_, query_.app);
    std::erase_if(all, [&](const logs::InstanceLog& log) {
      return !query_.services.empty() && !query_.services.contains(log.service);
    });
    return all;
  }

  void add(logs::InstanceLog log) {
    known_.insert(log.id);
    auto from = query_.from.find(log.id.value);
    logs::Cursor cursor = from == query_.from.end() ? logs::Cursor{} : from->second;
    std::filesystem::path dir = log.dir;
    tails_.push_back(Tail{std::move(log), logs::Reader(dir, cursor), {}});
  }

  /// The last `left` lines of an instance, and from there on.
  void add_tail(const logs::InstanceLog& log, std::size_t& left) {
    known_.insert(log.id);
    logs::Cursor end = logs::end(log.dir);
    Tail tail{log, logs::Reader(log.dir, end), {}};
    if (left > 0) {
      for (logs::Line& line : logs::tail(log.dir, left)) {
        // What was said since `end` comes from the reader.
        if (line.offset < (line.stream == logs::Stream::out ? end.out : end.err))
          tail.ahead.push_back(std::move(line));
      }
      left -= std::min(left, tail.ahead.size());
    }
    tails_.push_back(std::move(tail));
  }

  void discover() {
    for (logs::InstanceLog& log : selected()) {
      if (!known_.contains(log.id)) add(std::move(log));
    }
  }

  void read_ahead() {
    std::set<InstanceId> running;
    if (query_.follow) {
      auto snapshot = supervisor_.snapshot();
      for (const supervise::InstanceStatus& instance : snapshot->instances) running.insert(instance.id);
    }
    for (Tail& tail : tails_) tail.read_ahead(!running.contains(tail.log.id));
  }

  /// Pushes lines, the oldest first, until one instance has none ahead: a later line of it may be older than
  /// the others'. False when the client has gone.
  bool push_ahead() {
    progress_ = false;
    std::vector<Tail*> open;
    for (Tail& tail : tails_) {
      if (!push_dropped(tail)) return false;
      if (!tail.ahead.empty()) open.push_back(&tail);
    }
    while (!open.empty()) {
      auto oldest = std::min_element(open.begin(), open.end(), [](Tail* a, Tail* b) {
        return a->ahead.front().time < b->ahead.front().time;
      });
      Tail& tail = **oldest;
      if (!push_line(tail, tail.ahead.front())) return false;
      progress_ = true;
      tail.ahead.pop_front();
      if (tail.ahead.empty()) break;
    }
    return !feed_.closed();
  }

  bool push_line(const Tail& tail, const logs::Line& line) {
    std::uint64_t next = line.offset + line.text.size() + (line.partial ? 0 : 1);
    return feed_.push(
        "line", wire::to_json(wire::LogLine{.service = tail.log.service,
                                            .instance = tail.log.id.value,
                                            .stream = line.stream == logs::Stream::out ? "stdout" : "stderr",
                                            .slot = tail.log.slot,
                                            .time = line.time,
                                            .next = next,
                                            .text = line.text}));
  }

  bool push_dropped(Tail& tail) {
    std::uint64_t now = tail.reader.dropped();
    if (now == tail.dropped) return true;
    Json data =
        Json::object({{"service", tail.log.service}, {"slot", tail.log.slot}, {"bytes", now - tail.dropped}});
    tail.dropped = now;
    return feed_.push("dropped", data);
  }

  const LogQuery& query_;
  const std::filesystem::path& logs_;
  const supervise::Supervisor& supervisor_;
  Feed& feed_;
  std::deque<Tail> tails_;
  std::set<InstanceId> known_;
  bool progress_ = false;
};

}  // namespace

std::map<std::string, logs::Cursor> parse_cursors(const std::string& text) {
  std::map<std::string, logs::Cursor> cursors;
  const Json json = Json::parse(text);
  for (const auto& [instance, offsets] : json.members()) {
    const Json::Array& pair = offsets.items();
    if (pair.size() != 2) throw Error(Error::invalid, "a cursor is two offsets: [out, err]");
    cursors[instance] = {static_cast<std::uint64_t>(pair[0].integer()),
                         static_cast<std::uint64_t>(pair[1].integer())};
  }
  return cursors;
}

void stream_logs(const LogQuery& query, const std::filesystem::path& logs,
                 const supervise::Supervisor& supervisor, Feed& feed, const std::stop_token& stop) {
  LogStream(query, logs, supervisor, feed).run(stop);
}

}  // namespace holdall::api
