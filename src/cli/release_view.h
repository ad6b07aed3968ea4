#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/server.h"
#include "cli/terminal.h"

namespace holdall::cli {

/// Lines for people about a plan or a release; each begins with two blanks and a word.
std::vector<std::string> plan_lines(const Json& plan);
std::vector<std::string> report_lines(const Json& report);

/// A release as its events tell it, line by line, and what they come to.
class ReleaseView {
 public:
  /// `out` may be nothing: then it only keeps count.
  explicit ReleaseView(const Terminal* out) : out_(out) {}

  void show(const Json& event);  ///< docs/formats/release-events.md

  bool live() const { return live_; }  ///< the switch is done
  bool finished() const { return finished_; }
  bool failed() const { return failed_; }

 private:
  void say(std::string_view word, std::string_view text) const;
  void show_failure(const Json& data);

  const Terminal* out_;
  std::string started() const;

  std::string from_, to_;
  std::map<std::string, Json> started_;  ///< `ready` of each instance, by name
  bool live_ = false, finished_ = false, failed_ = false, reverted_ = false;
};

/// Follows release `number` of `app` to its end, over restarts of the server.
void follow_release(Server& server, const std::string& app, int number, ReleaseView& view);

}  // namespace holdall::cli
