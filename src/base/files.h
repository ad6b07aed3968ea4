#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace holdall {

/// The whole file. Throws `missing` if there is none, `denied` if it may not be read, `invalid` over `limit`
/// bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{64} << 20);
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);

/// Replaces `path` at one instant (write beside it, fsync, rename, fsync the directory): a reader and a crash
/// see the old content or the new. Parents must exist.
void write_file_atomic(const std::filesystem::path& path, std::string_view content, int mode = 0644);

/// All of `bytes`, however many writes it takes.
void write_all(int fd, std::string_view bytes);

void fsync_directory(const std::filesystem::path& directory);

/// An anonymous file with `content`, sealed against every later change; close-on-exec.
Fd sealed_memfd(const char* name, std::string_view content);
std::string read_memfd(const Fd& memfd);

}  // namespace holdall
