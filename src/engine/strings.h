#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdall::engine {

/// What a shim is told (docs/formats/shim.md): each string as its length, its bytes and a NUL, so that the
/// shim can use it where it lies.
class Strings {
 public:
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void add(std::string_view text) {
    auto length = static_cast<std::uint32_t>(text.size());
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes_.append(text);
    bytes_.push_back('\0');
  }
  void add(std::uint64_t number) { add(std::to_string(number)); }
  void add_all(const std::vector<std::string>& texts) {
    add(texts.size());
    for (const std::string& text : texts) add(text);
  }
  const std::string& bytes() const { return bytes_; }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace holdall::engine
