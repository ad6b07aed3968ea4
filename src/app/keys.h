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

/// What may be written as a key's value, and so how it is made canonical.
enum class Form : std::uint8_t {
  anything,  ///< kept as written
  text,
  integer,
  number,
  boolean,
  duration,
  texts,         ///< a list of strings
  command,       ///< a string, split into words, or a list of strings, or null; an override replaces it
  test,          ///< of a healthcheck; an override replaces it
  mapping,       ///< of the keys in the rows below it
  named,         ///< of names to mappings: the rows below it have `*` for the name
  pairs,         ///< NAME: value, or a list of NAME=value
  build,         ///< a string or a mapping
  depends_on,    ///< a list of names or a mapping of them
  env_files,     ///< a string or a list of strings and mappings
  expose,        ///< a list of ports
  ports,         ///< a list of short and long forms
  published,     ///< a port or a range, as string or integer
  secret_files,  ///< a list of names and mappings
  mode,          ///< of a file: octal digits, or an integer
  bytes,         ///< a number, or a string with a unit
  ulimits,       ///< of names to numbers, or to soft and hard ones
};

struct Key {
  std::string_view path;  ///< "services.*.build.context"
  Form form;
  Support support;
  std::string_view note;    ///< the difference, or the reason of a refusal
  std::string_view remedy;  ///< of a refusal
};

/// Every key of the Compose Specification and of `x-holdall`, in the order in which Compose prints them.
std::span<const Key> keys();

/// The row of that path, with `*` for names; nullptr if the specification has no such key.
const Key* find_key(std::string_view path);

/// The key nearest to `name` in the mapping at `path`, or empty when none is near.
std::string_view nearest_key(std::string_view path, std::string_view name);

}  // namespace holdall::app
