#pragma once

#include <filesystem>
#include <string>

#include "base/fd.h"

namespace holdall::engine {

/// A word for the state of a file as the process of the pidfd sees it (nullptr: as we do), which is another
/// one after each touch; empty if it is no file. Nothing is opened for reading, and no link leads out of what
/// that process sees. Throws `missing` if the process has ended.
std::string mark_of_file(const Fd* process, const std::filesystem::path& path);

}  // namespace holdall::engine
