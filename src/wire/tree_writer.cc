#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "wire/tree_format.h"
#include "wire/wire.h"

namespace holdall::wire {
namespace {

namespace fs = std::filesystem;

/// Bytes to the archive and to its digest.
class Writer {
 public:
  explicit Writer(const Fd& file) : file_(file) {}

  void bytes(std::string_view bytes) {
    buffer_.append(bytes);
    if (buffer_.size() >= kFlushAt) flush();
  }

  void number(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) buffer_.push_back(static_cast<char>(value >> (8 * i)));
  }

  void entry(char kind, std::string_view path) {
    buffer_.push_back(kind);
    number(path.size(), 2);
    bytes(path);
  }

  Digest finish() {
    flush();
    return hash_.finish();
  }

  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t kFlushAt = 256 << 10;  // a few system calls a megabyte

  void flush() {
    hash_.update(buffer_);
    write_all(file_.get(), buffer_);
    size_ += buffer_.size();
    buffer_.clear();
  }

  const Fd& file_;
  Sha256 hash_;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

Fd temporary_file() {
  fs::path directory = fs::temp_directory_path();
  int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return Fd(fd);
  // A file system without O_TMPFILE.
  std::string name = directory / "holdall-tree-XXXXXX";
  fd = checked(mkostemp(name.data(), O_CLOEXEC), "make a temporary file in " + directory.string());
  unlink(name.c_str());
  return Fd(fd);
}

[[noreturn]] void refuse(const fs::path& path, std::string_view why) {
  throw Error(Error::invalid,
              fmt::format("{} cannot travel: {}; name it in .dockerignore if the app does not need it",
                          path.string(), why));
}

void pack_file(Writer& out, const fs::path& path, const std::string& name) {
  Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file)
    throw_errno(errno == EACCES ? Error::denied : Error::busy, fmt::format("open {}", path.string()), errno);
  struct stat status{};
  checked(fstat(file.get(), &status), "look at " + path.string());
  out.entry(status.st_mode & 0111 ? kExecutable : kFile, name);
  auto left = static_cast<std::uint64_t>(status.st_size);
  out.number(left, 8);
  std::array<char, 64 << 10> buffer;
  for (;;) {
    auto got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(Error::failed, fmt::format("read {}", path.string()), errno);
    if (static_cast<std::uint64_t>(got) > left || (got == 0 && left > 0)) {
      throw Error(Error::busy, fmt::format("{} changed while it was read; try again", path.string()));
    }
    if (got == 0) return;
    out.bytes({buffer.data(), static_cast<std::size_t>(got)});
    left -= static_cast<std::uint64_t>(got);
  }
}

void pack_link(Writer& out, const fs::path& path, const std::string& name) {
  std::string target = fs::read_symlink(path);
  std::string fault = fault_of_link(name, target);
  if (!fault.empty()) refuse(path, fmt::format("a link to {}, {}", target, fault));
  out.entry(kLink, name);
  out.number(target.size(), 2);
  out.bytes(target);
}

/// False if it is a directory.
bool pack_entry(Writer& out, const fs::path& path, const std::string& name) {
  struct stat status{};
  if (lstat(path.c_str(), &status) < 0) {
    throw Error(Error::busy, fmt::format("{} went away while the tree was read; try again", path.string()));
  }
  if (S_ISDIR(status.st_mode)) {
    out.entry(kDirectory, name);
    return false;
  }
  if (S_ISLNK(status.st_mode)) {
    pack_link(out, path, name);
  } else if (S_ISREG(status.st_mode)) {
    pack_file(out, path, name);
  } else {
    refuse(path, "it is no file, directory or link");
  }
  return true;
}

/// All of them and the directories above them, sorted by bytes: so a directory comes before what is in it.
std::set<std::string> with_parents(const std::vector<std::string>& paths) {
  std::set<std::string> all;
  for (const std::string& path : paths) {
    std::string fault = fault_of_path(path);
    if (!fault.empty()) throw Error(Error::invalid, fmt::format("'{}' cannot travel: {}", path, fault));
    all.insert(path);
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      all.insert(path.substr(0, slash));
    }
  }
  return all;
}

}  // namespace

PackedTree pack_tree(const fs::path& root, const std::vector<std::string>& paths) {
  PackedTree packed{.file = temporary_file(), .digest = {}};
  Writer out(packed.file);
  out.bytes(kTreeMagic);
  for (const std::string& name : with_parents(paths)) packed.files += pack_entry(out, root / name, name);
  out.bytes({&kEnd, 1});
  packed.digest = out.finish();
  packed.bytes = out.size();
  checked(static_cast<int>(lseek(packed.file.get(), 0, SEEK_SET)), "rewind the tree archive");
  return packed;
}

}  // namespace holdall::wire
