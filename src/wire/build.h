#pragma once

namespace holdall::wire {

/// Of the source tree, found anew at each build: cmake/commit.cmake writes the file that defines it.
extern const char* const kCommit;
extern const char* const kCommitDate;  ///< "2026-11-21"; empty where nobody knows

}  // namespace holdall::wire
