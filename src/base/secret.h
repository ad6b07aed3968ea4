#pragma once

#include <compare>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace holdall {

/// A value that nobody else may see: a password, the text of a key. It is wiped when it goes, it does not
/// turn into a std::string by itself, and nothing prints it. Move-only; a moved-from one is empty. Reading
/// one from several threads is safe.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view value);

  /// The same value, and `source` wiped: for what arrives in a string.
  static Secret taken_from(std::string& source);

  /// `size` bytes of zero, to be filled through `data`.
  static Secret zeros(std::size_t size);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  /// Valid as long as this value stays where it is. Copy it only to where it must go.
  std::string_view view() const { return {bytes_.get(), size_}; }
  char* data() { return bytes_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Takes as long wherever the first difference is.
  bool operator==(const Secret& other) const;

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// Overwrites what the string holds, then makes it empty.
void wipe(std::string& text);

/// Takes the variable out of the environment and overwrites its value where the kernel shows it
/// (/proc/PID/environ). Nothing if it is not set. To be called before there is another thread.
std::optional<Secret> take_from_environment(const std::string& name);

/// From now on no other process of this user can look into this one, and it leaves no core file. To be called
/// before any key is read; a program that is executed afterwards has to call it again.
void keep_memory_private();

}  // namespace holdall
