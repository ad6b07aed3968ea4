#pragma once

#include "engine/shim/spec.h"

namespace holdall::engine {

/// The words of an errno; those of `strerror` without its locales.
const char* words(int error);

/// Becomes the program that `spec` names, in this process: its user and limits, its working directory,
/// exactly its environment and the variables of `secrets`, found through its PATH, with no signal blocked or
/// ignored, every descriptor over 2 closed. Returns only if that failed, having written why to `reason`
/// ("cannot execute app.py: No such file or directory"), with what a shell would exit with: 127 if there is
/// no such program, else 126.
int become(const Spec& spec, const Secrets& secrets, char* reason, std::size_t size);

}  // namespace holdall::engine
