#include "base/secret.h"

#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <utility>

namespace holdall {

Secret::Secret(std::string_view value) : Secret(zeros(value.size())) {
  std::ranges::copy(value, bytes_.get());
}

Secret Secret::taken_from(std::string& source) {
  Secret secret(source);
  wipe(source);
  return secret;
}

Secret Secret::zeros(std::size_t size) {
  Secret secret;
  secret.bytes_ = std::make_unique<char[]>(size);
  secret.size_ = size;
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() {
  if (bytes_) sodium_memzero(bytes_.get(), size_);
}

bool Secret::operator==(const Secret& other) const {
  return size_ == other.size_ && sodium_memcmp(bytes_.get(), other.bytes_.get(), size_) == 0;
}

void wipe(std::string& text) {
  sodium_memzero(text.data(), text.capacity());
  text.clear();
}

std::optional<Secret> take_from_environment(const std::string& name) {
  char* value = getenv(name.c_str());
  if (!value) return std::nullopt;
  Secret taken{std::string_view(value)};
  sodium_memzero(value, strlen(value));
  unsetenv(name.c_str());
  return taken;
}

void keep_memory_private() {
#if defined(__linux__) && !defined(HOLDALL_SANITIZED)  // a leak checker has to look into the process
  prctl(PR_SET_DUMPABLE, 0);
#endif
  // Only the soft limit: what runs below us may want core files of its own.
  rlimit core{};
  getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &core);
}

}  // namespace holdall
