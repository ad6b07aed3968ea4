#pragma once

namespace holdall::wire {

/// Of the source tree, found anew at each build: cmake/commit.cmake writes the file that defines it.
extern const char* const kCommit;

}  // namespace holdall::wire
