#pragma once

namespace holdall::engine {

/// As base/failpoint.h, for a program without base: HOLDALL_SHIM_FAILPOINTS names the socket. The pid written
/// is the one in the shim's own namespace; the socket's peer credentials tell the other.
#ifdef HOLDALL_FAILPOINTS
void shim_failpoint(const char* name);
#else
inline void shim_failpoint(const char*) {}
#endif

}  // namespace holdall::engine
