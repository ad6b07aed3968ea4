#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/id.h"

namespace holdall {
namespace {

Error::Kind kind_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR: return Error::missing;
    case EACCES:
    case EPERM:
    case EROFS: return Error::denied;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG: return Error::invalid;
    default: return Error::broken;
  }
}

[[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path, int number) {
  throw_errno(kind_of(number), fmt::format("{} {}", doing, path.string()), number);
}

std::string read_all(const Fd& file, const std::filesystem::path& path, std::size_t limit) {
  struct stat status{};
  if (fstat(file.get(), &status) < 0) fail("read", path, errno);
  std::string content;
  // A size is a hint only: files of /proc say 0, and a growing file says too little.
  std::size_t hint = status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : 0;
  constexpr std::size_t kLeast = 4096;
  std::size_t used = 0;
  content.resize(std::max(kLeast, std::min(hint, limit) + 1));
  for (;;) {
    if (used == content.size()) content.resize(content.size() * 2);
    ssize_t got = read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    used += static_cast<std::size_t>(got);
    if (used > limit) {
      throw Error(Error::invalid, fmt::format("{} is larger than {} bytes", path.string(), limit));
    }
    if (got == 0) break;
  }
  content.resize(used);
  return content;
}

/// Unlinks the file beside the target unless the rename has happened.
class Unfinished {
 public:
  explicit Unfinished(std::string path) : path_(std::move(path)) {}
  ~Unfinished() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  const char* c_str() const { return path_.c_str(); }
  void finished() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail("open", path, errno);
  return read_all(file, path, limit);
}

std::optional<std::string> read_file_if_exists(const std::filesystem::path& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) fail("open", path, errno);
  constexpr std::size_t kLimit = std::size_t{64} << 20;
  return read_all(file, path, kLimit);
}

void write_file_atomic(const std::filesystem::path& path, std::string_view content, int mode) {
  Unfinished beside(fmt::format("{}.{}.new", path.string(), random_id()));
  Fd file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) fail("write", path, errno);
  // The mode asked for, whatever the umask.
  if (fchmod(file.get(), static_cast<mode_t>(mode)) < 0) fail("write", path, errno);
  write_all(file.get(), content);
  if (fsync(file.get()) < 0) fail("write", path, errno);
  if (rename(beside.c_str(), path.c_str()) < 0) fail("write", path, errno);
  beside.finished();
  fsync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(Error::broken, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void fsync_directory(const std::filesystem::path& directory) {
  Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) fail("open", directory, errno);
  if (fsync(fd.get()) < 0) fail("fsync", directory, errno);
}

Fd sealed_memfd(const char* name, std::string_view content) {
  Fd memfd(checked(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "make a memfd"));
  write_all(memfd.get(), content);
  checked(fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
          "seal a memfd");
  return memfd;
}

std::string read_memfd(const Fd& memfd) {
  struct stat status{};
  checked(fstat(memfd.get(), &status), "read a memfd");
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t used = 0;
  while (used < content.size()) {
    // pread: the offset is shared with whoever else holds this descriptor.
    ssize_t got = pread(memfd.get(), content.data() + used, content.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (checked(static_cast<int>(got), "read a memfd") == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

}  // namespace holdall
