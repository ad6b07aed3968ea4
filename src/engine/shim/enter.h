#pragma once

namespace holdall::engine {

/// `shim enter`: runs the specification's argv in the namespaces of the process whose pidfd is descriptor 4
/// (in our own, if there is none) and ends as it ended. Its process group is killed when whoever started it
/// is gone.
int enter();

}  // namespace holdall::engine
