#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/json.h"
#include "base/time.h"
#include "store/store.h"

namespace holdall::api {

/// One call that changed something, or that was denied. A value.
struct Call {
  WallTime at;
  std::string who, method, path, app;
  std::string program = {};   ///< that it starts, without arguments
  std::optional<int> status;  ///< nothing: control ended before the answer
  bool denied = false;        ///< for want of a right
  std::int64_t count = 1;     ///< how often the same was denied in a row
};
Json to_json(const Call& call);

/// Who asked for what, on the disk: the newest 10,000 changes and, apart from them, the newest 1,000 denials,
/// so that no flood of denials pushes out what was done. Thread-safe.
class Calls {
 public:
  Calls(store::Database& database, const Clock& clock);

  /// A change that is about to be tried; its row is on the disk when this returns.
  std::int64_t begin(const Call& call);
  void end(std::int64_t id, int status);

  /// The same call denied to the same caller again adds to the row there is. Those of callers that nobody
  /// knows (`unknown`) are written once a second at most: anybody can make them.
  void denied(const Call& call, bool unknown);

  /// The newest first; of these apps only, unless there is none named.
  std::vector<Call> list(const std::vector<std::string>& apps, std::size_t most) const;

 private:
  store::Database& database_;
  const Clock& clock_;
  Guarded<Instant> last_unknown_;
};

}  // namespace holdall::api
