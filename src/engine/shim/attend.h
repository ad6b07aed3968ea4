#pragma once

namespace holdall::engine {

// Programs that somebody attends: their descriptors 0, 1 and 2 are this process's own, a terminal among them
// becomes the program's controlling one, and they end, with all that they started, when the program has
// ended, when whoever started this process dies, and at the signal SIGRTMAX. Every other signal is passed on
// to the program. The exit code is the program's, 128 and the signal's number when one killed it, 127 when it
// was not found and 126 when it could not be executed, with the reason on descriptor 2.

/// `shim attach`: in the namespaces of the shim whose pidfd is given, or in ours.
int attach();

/// `shim leave`: the same, but nobody attends it. Returns 0 once the program is executed; it goes on until
/// its end or that of the instance, with /dev/null for all three descriptors.
int leave();

/// `shim once`: a copy of an instance of its own, as init of new PID and mount namespaces where it is one.
int once();

}  // namespace holdall::engine
