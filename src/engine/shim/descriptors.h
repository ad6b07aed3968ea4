#pragma once

namespace holdall::engine {

/// The numbers under which control hands a shim what it needs (docs/formats/shim.md). Frozen with protocol 1.
enum : int {
  kSpecFd = 3,       ///< memfd with the specification
  kLockFd = 4,       ///< open and locked: held as long as the shim lives
  kListenerFd = 5,   ///< listening on `sock` already, so that nobody has to wait for it
  kDirectoryFd = 6,  ///< run/i/<id>
  kLogsFd = 7,       ///< where the segments go
  kOutReadFd = 8,
  kOutWriteFd = 9,
  kErrReadFd = 10,
  kErrWriteFd = 11,
  kSecretsFd = 12,  ///< a pipe with values that only the program may see; empty: none
  kGroupsFd = 13,   ///< and the numbers after it: files to which the program writes itself into its groups

  // Of `enter`, which has the specification and the secrets too.
  kTargetFd = 4,  ///< pidfd of the shim whose namespaces are entered
};

}  // namespace holdall::engine
