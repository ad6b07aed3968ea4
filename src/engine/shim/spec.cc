#include "engine/shim/spec.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace holdall::engine {
namespace {

/// Reads `u32 length, bytes, NUL` after one another; every fault makes all that follows fail.
class Strings {
 public:
  Strings(char* at, char* end) : at_(at), end_(end) {}

  char* next() {
    std::uint32_t length;
    if (!at_ || static_cast<std::size_t>(end_ - at_) < sizeof length) return fail();
    std::memcpy(&length, at_, sizeof length);
    char* text = at_ + sizeof length;
    if (static_cast<std::size_t>(end_ - text) <= length || text[length] != 0) return fail();
    at_ = text + length + 1;
    return text;
  }

  /// A decimal count, then that many strings.
  char** list() {
    const char* count_text = next();
    if (!count_text) return nullptr;
    std::size_t count = std::strtoul(count_text, nullptr, 10);
    // Each string takes five bytes at least, which bounds what is allocated.
    if (count > static_cast<std::size_t>(end_ - at_) / 5) return nullptr;
    auto** items = static_cast<char**>(std::calloc(count + 1, sizeof(char*)));
    if (!items) return nullptr;
    for (std::size_t i = 0; i < count; ++i) {
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
  argv = strings.list();
  environment = strings.list();
  return id && boot_id && working_dir && argv && argv[0] && environment;
}

void Spec::unmap() {
  munmap(bytes_, size_);
  std::free(argv);
  std::free(environment);
  *this = Spec();
}

}  // namespace holdall::engine
