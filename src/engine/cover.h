#pragma once

#include <filesystem>

namespace holdall::engine {

/// The directory that is covered for an instance with a user of its own, so that it sees nothing of `state`
/// (absolute, without links): `state`, or the highest one above it that other users may not pass.
std::filesystem::path cover_of(const std::filesystem::path& state);

}  // namespace holdall::engine
