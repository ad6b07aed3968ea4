#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "mix.h"

namespace load {

/// Nanoseconds of CLOCK_REALTIME, so that a failure can be laid beside the server's log.
std::int64_t wall_now();

/// What became of every request, as it is known: summed up in one JSON object, and one by one in a list.
class Report {
 public:
  /// `list`: where a line a request goes, `ID KIND OUTCOME RELEASE SENT DONE`; null for none. Outlives the
  /// report.
  explicit Report(std::FILE* list) : list_(list), begun_(wall_now()) {}

  void sent(std::int64_t at);
  void answered(const Request& request, const std::string& release, std::int64_t due, std::int64_t at);
  void left(const Request& request, std::int64_t due, std::int64_t at);
  void failed(const Request& request, const std::string& cause, const std::string& release, std::int64_t due,
              std::int64_t at);
  /// A request was started this long after it was due: the generator, not the server, was slow.
  void late(std::int64_t nanoseconds) { latest_ = nanoseconds > latest_ ? nanoseconds : latest_; }

  std::uint64_t failures() const { return failed_; }
  std::string json() const;

 private:
  struct Second {
    std::uint64_t sent = 0, answered = 0, failed = 0, slowest_ms = 0;
  };
  struct Failure {
    std::string id, cause;
    Kind kind;
    std::int64_t sent, at;
  };
  Second& second(std::int64_t at);
  void list(const Request& request, const char* outcome, const std::string& release, std::int64_t due,
            std::int64_t at);

  std::FILE* list_;
  std::int64_t begun_, latest_ = 0;
  std::uint64_t sent_ = 0, answered_ = 0, left_ = 0, failed_ = 0;
  std::map<std::string, std::uint64_t> releases_, causes_;
  std::vector<Second> timeline_;
  std::vector<Failure> failures_;
  std::vector<float> latencies_ms_;  ///< of plain requests and posts, from the instant they were due
};

}  // namespace load
