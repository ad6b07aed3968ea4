#pragma once

#include <cstddef>

#include "engine/shim/spec.h"

namespace holdall::engine {

// Steps of the process that becomes the program, as root where there is one. Each is false with the reason.

/// Puts this process into the control groups that it was given.
bool join_groups(const Spec& spec, char* reason, std::size_t size);

/// With mounts of its own, of the directory `spec.cover` only the artefact, which cannot be changed,
/// and an empty home are left. Without them, what keeps others out are modes of files.
bool cover_state(const Spec& spec, bool own_mounts, char* reason, std::size_t size);

/// Puts the files of `secrets` in /run/secrets, in memory that this namespace alone sees and nothing changes
/// any more; where the program has no uid of its own, in `secrets/` of the instance's directory.
bool place_secrets(const Spec& spec, const Secrets& secrets, bool own_mounts, int directory, char* reason,
                   std::size_t size);

/// Soft limits as the machine gives them, and its own limits as far as the machine allows them; then the
/// program's own user for ever, if it has one.
bool drop_privileges(const Spec& spec, char* reason, std::size_t size);

}  // namespace holdall::engine
