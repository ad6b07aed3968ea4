#pragma once

namespace holdall {

/// A named point at which a crash test may stop this process and kill it, or another. With HOLDALL_FAILPOINTS
/// compiled in and the variable HOLDALL_FAILPOINTS=PATH in the environment, the process connects to the unix
/// stream socket PATH, writes `NAME PID\n` and waits for a line before it goes on; in every other case it is
/// nothing at all. The points are listed in docs/failpoints.md; names read `release.switch.before`.
#ifdef HOLDALL_FAILPOINTS
void failpoint(const char* name);
#else
inline void failpoint(const char*) {}
#endif

}  // namespace holdall
