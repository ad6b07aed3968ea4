#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/keys.h"

namespace holdall {
namespace {

namespace fs = std::filesystem;

// The text of a key is 64 characters; whatever is longer is none.
constexpr std::size_t kMostText = 256;

/// A name that Compose allows, so that it is one segment of a path as well.
void check_name(const AppName& app) {
  auto is_inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  bool right = !app.empty() && app.value.front() != '_' && app.value.front() != '-' &&
               app.value.size() <= NAME_MAX && std::ranges::all_of(app.value, is_inner);
  if (!right) throw Error(Error::invalid, fmt::format("'{}' is no name of an app", app.value));
}

/// Whoever may read a key can open every value, and whoever may write into its directory can place one.
void check_private(const Fd& file, const fs::path& path) {
  struct stat status{};
  checked(fstat(file.get(), &status), "look at " + path.string());
  if (status.st_uid != geteuid()) {
    throw Error(Error::denied, fmt::format("{} belongs to uid {}: chown {} {}", path.string(), status.st_uid,
                                           geteuid(), path.string()));
  }
  if (status.st_mode & 077) {
    throw Error(Error::denied, fmt::format("{} is open to others: chmod {} {}", path.string(),
                                           S_ISDIR(status.st_mode) ? "700" : "600", path.string()));
  }
}

/// Nothing if there is no such directory.
Fd open_directory(const fs::path& path) {
  Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory && errno == ENOENT) return directory;
  if (!directory) throw_errno(Error::denied, fmt::format("open {}", path.string()), errno);
  check_private(directory, path);
  return directory;
}

Fd make_directory(const fs::path& path) {
  if (mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
    throw_errno(Error::denied, fmt::format("make {}", path.string()), errno);
  }
  return open_directory(path);
}

/// "3.key" -> 3; nothing for what is no key file, such as one that a crash left half written.
std::optional<int> number_of(std::string_view name) {
  if (!name.ends_with(".key")) return std::nullopt;
  name.remove_suffix(4);
  int number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  bool right = error == std::errc() && end == name.data() + name.size() && number > 0 && name.front() != '0';
  return right ? std::optional(number) : std::nullopt;
}

/// The numbers of the keys in it, the highest first.
std::vector<int> numbers(const fs::path& directory) {
  std::vector<int> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (auto number = number_of(entry.path().filename().string())) found.push_back(*number);
  }
  std::ranges::sort(found, std::greater());
  return found;
}

fs::path key_path(const fs::path& directory, int number) { return directory / fmt::format("{}.key", number); }

PrivateKey read_key(const fs::path& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) throw_errno(Error::denied, fmt::format("open {}", path.string()), errno);
  check_private(file, path);
  Secret text = Secret::zeros(kMostText);
  std::size_t used = 0;
  while (used < text.size()) {
    ssize_t got = read(file.get(), text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (checked(static_cast<int>(got), "read " + path.string()) == 0) break;
    used += static_cast<std::size_t>(got);
  }
  std::string_view line = text.view().substr(0, used);
  if (line.ends_with('\n')) line.remove_suffix(1);
  try {
    return PrivateKey::parse(line);
  } catch (const Error& error) {
    throw error.during(path.string());
  }
}

std::vector<PrivateKey> read_keys(const fs::path& directory) {
  std::vector<PrivateKey> keys;
  for (int number : numbers(directory)) keys.push_back(read_key(key_path(directory, number)));
  return keys;
}

/// The app's directory, made if need be, and everybody else kept from changing it as long as this lives.
Fd lock_directory(const fs::path& keys, const fs::path& directory) {
  if (keys.has_parent_path()) {
    std::error_code error;
    fs::create_directories(keys.parent_path(), error);
    if (error) throw_errno(Error::denied, fmt::format("make {}", keys.parent_path().string()), error.value());
  }
  make_directory(keys);
  Fd locked = make_directory(directory);
  while (flock(locked.get(), LOCK_EX) < 0 && errno == EINTR) {
  }
  return locked;
}

PublicKey add_key(const fs::path& directory) {
  std::vector<int> taken = numbers(directory);
  PrivateKey key = PrivateKey::generate();
  Secret text = key.text();
  write_file_atomic(key_path(directory, taken.empty() ? 1 : taken.front() + 1), text.view(), 0600);
  return key.public_key();
}

}  // namespace

std::vector<PrivateKey> KeyDirectory::keys(const AppName& app) const {
  check_name(app);
  if (!open_directory(path_) || !open_directory(path_ / app.value)) return {};
  return read_keys(path_ / app.value);
}

PublicKey KeyDirectory::make(const AppName& app) {
  check_name(app);
  Fd locked = lock_directory(path_, path_ / app.value);
  return add_key(path_ / app.value);
}

PublicKey KeyDirectory::ensure(const AppName& app) {
  check_name(app);
  Fd locked = lock_directory(path_, path_ / app.value);
  std::vector<PrivateKey> there = read_keys(path_ / app.value);
  return there.empty() ? add_key(path_ / app.value) : there.front().public_key();
}

void KeyDirectory::retire(const AppName& app, std::span<const PublicKey> needed) {
  check_name(app);
  if (!open_directory(path_) || !open_directory(path_ / app.value)) return;
  fs::path directory = path_ / app.value;
  Fd locked = lock_directory(path_, directory);
  std::vector<int> there = numbers(directory);
  int oldest_needed = 0;
  for (int number : there) {
    PublicKey key = read_key(key_path(directory, number)).public_key();
    if (std::ranges::find(needed, key) != needed.end()) oldest_needed = number;
  }
  for (int number : there) {
    if (number < oldest_needed) fs::remove(key_path(directory, number));
  }
  fsync_directory(directory);
}

}  // namespace holdall
