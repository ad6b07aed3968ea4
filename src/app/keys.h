#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdall::app {

/// What the process engine makes of a key. There is no fourth way: nothing is dropped in silence.
enum class Support : std::uint8_t {
  honoured,
  different,  ///< honoured, with the difference that the note states
  refused,    ///< with the reason that the note gives, and the remedy
};

struct Key {
  std::string_view path;  ///< "services.*.build.context"
  Support support;
  std::string_view note;    ///< the difference, or the reason of a refusal
  std::string_view remedy;  ///< of a refusal
};

/// What is to be said of every key of the schema that a reader would look for.
std::span<const Key> keys();

/// The row of that path, with `*` for names; nullptr if the specification has no such key.
const Key* find_key(std::string_view path);

}  // namespace holdall::app
