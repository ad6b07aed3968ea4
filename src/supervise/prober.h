#pragma once

#include <vector>

#include "supervise/supervise.h"
#include "supervise/watch.h"

namespace holdall::supervise {

/// Asks instances whether they are fit to serve; never blocks. One probe an instance at a time.
class Prober {
 public:
  struct Result {
    InstanceId id;
    Verdict verdict;
  };

  virtual ~Prober() = default;

  virtual void start(const InstanceId& id, const Gate& gate, const net::Address& address) = 0;
  virtual void cancel(
      const InstanceId& id) = 0;           ///< its result is not wanted any more; no error if there is none
  virtual std::vector<Result> take() = 0;  ///< those that ended since
};

}  // namespace holdall::supervise
