#pragma once

#include <span>
#include <string>
#include <string_view>

#include "app/app.h"

namespace holdall::app {

/// What the process engine makes of a key.
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
