#include "engine/shim/spec.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace holdall::engine {
namespace {

constexpr std::size_t kLeastBytes = sizeof(std::uint32_t) + 1;  // of a string

/// Reads `u32 length, bytes, NUL` after one another; every fault makes all that follows fail.
class Strings {
 public:
  Strings(char* at, char* end) : at_(at), end_(end) {}

  char* next(std::size_t* size = nullptr) {
    std::uint32_t length;
    if (!at_ || static_cast<std::size_t>(end_ - at_) < sizeof length) return fail();
    std::memcpy(&length, at_, sizeof length);
    char* text = at_ + sizeof length;
    if (static_cast<std::size_t>(end_ - text) <= length || text[length] != 0) return fail();
    at_ = text + length + 1;
    if (size) *size = length;
    return text;
  }

  std::uint64_t number() {
    const char* text = next();
    return text ? std::strtoull(text, nullptr, 10) : 0;
  }

  /// Of things of which each takes `least` bytes at least, which bounds what is allocated for them.
  bool count(std::size_t least, std::size_t& count) {
    const char* text = next();
    if (!text) return false;
    count = std::strtoul(text, nullptr, 10);
    return count <= static_cast<std::size_t>(end_ - at_) / least;
  }

  /// A decimal count, then that many strings.
  char** list() {
    std::size_t size;
    if (!count(kLeastBytes, size)) return nullptr;
    auto** items = static_cast<char**>(std::calloc(size + 1, sizeof(char*)));
    if (!items) return nullptr;
    for (std::size_t i = 0; i < size; ++i) {
      if (!(items[i] = next())) return nullptr;
    }
    return items;
  }

 private:
  char* fail() { return at_ = nullptr; }

  char* at_;
  char* end_;
};

}  // namespace

bool Spec::map(int memfd) {
  struct stat info;
  if (fstat(memfd, &info) != 0 || info.st_size == 0) return false;
  size_ = static_cast<std::size_t>(info.st_size);
  bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, memfd, 0);
  if (bytes_ == MAP_FAILED) return false;

  char* begin = static_cast<char*>(bytes_);
  Strings strings(begin, begin + size_);
  const char* version = strings.next();
  if (!version || std::strcmp(version, "1") != 0) return false;
  id = strings.next();
  boot_id = strings.next();
  working_dir = strings.next();
  uid = static_cast<unsigned>(strings.number());
  cover = strings.next();
  artefact = strings.next();
  home = strings.next();
  open_files = strings.number();
  core_bytes = strings.number();
  argv = strings.list();
  environment = strings.list();
  if (const char* adjustment = strings.next()) {
    oom_score_adj = adjustment;
    groups = static_cast<int>(strings.number());
    ulimits = strings.list();
    if (!ulimits) return false;
  }
  return id && boot_id && working_dir && cover && artefact && home && argv && argv[0] && environment;
}

void Spec::unmap() {
  munmap(bytes_, size_);
  std::free(argv);
  std::free(environment);
  std::free(ulimits);
  *this = Spec();
}

bool Secrets::read_from(int pipe) {
  // As much as the pipe can hold, and a byte to see its end.
  constexpr std::size_t kMost = (1 << 20) + 1;
  auto* bytes = static_cast<char*>(std::malloc(kMost));
  std::size_t size = 0;
  for (ssize_t more = 1; bytes && more != 0;) {
    more = read(pipe, bytes + size, kMost - size);
    if (more < 0 && errno != EINTR) return false;
    if (more > 0) size += static_cast<std::size_t>(more);
  }
  close(pipe);
  if (!bytes) return false;
  if (size == 0) return true;

  Strings strings(bytes, bytes + size);
  if (!strings.count(3 * kLeastBytes, file_count)) return false;
  files = static_cast<File*>(std::calloc(file_count + 1, sizeof(File)));
  if (!files) return false;
  for (File* file = files; file != files + file_count; ++file) {
    file->target = strings.next();
    file->mode = static_cast<unsigned>(strings.number());
    file->bytes = strings.next(&file->size);
  }
  variables = strings.list();
  return variables != nullptr;
}

}  // namespace holdall::engine
