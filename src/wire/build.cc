#include "wire/build.h"

#include "wire/wire.h"

namespace holdall::wire {

const Build& build() {
  static const Build facts{.version = HOLDALL_VERSION,
                           .commit = kCommit,
                           .date = kCommitDate,
                           .source = HOLDALL_SOURCE,
                           .build = HOLDALL_BUILD};
  return facts;
}

}  // namespace holdall::wire
