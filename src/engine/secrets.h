#pragma once

#include "base/fd.h"
#include "engine/engine.h"
#include "engine/record.h"

namespace holdall::engine {

/// The reading end of a pipe that holds the values of what the instance sees and is read once: for its start
/// with the files, for a program beside it without, as they are there already. An empty one if there is
/// nothing to see. Throws what keeps a value from being opened, `invalid` if all together are too large.
Fd open_secrets(const Record& record, SecretSource& source, bool with_files);

}  // namespace holdall::engine
