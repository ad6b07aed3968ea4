#pragma once

namespace holdall::router {

/// Gives up, for good, what a process that reads strangers' bytes must not have; before any thread starts.
///
/// - As root: sees an empty root directory (an unlinked one, so that nothing can ever be put there), then
/// becomes nobody
///   (65534) without groups. Otherwise stays the user it is.
/// - Gains no rights by execution, is not dumpable, leaves no core, may open as many descriptors as the hard
/// limit says.
/// - Has no file, where the kernel has Landlock; and no system calls but those of its work, by seccomp.
///
/// Throws `broken` if one of these that the kernel offers fails. Not in builds with sanitizers, which need
/// more. Afterwards only TCP targets can be reached: a unix socket is a file.
void enter_sandbox();

}  // namespace holdall::router
