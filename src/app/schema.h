#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace holdall::app {

/// What may be written as a value: a set of kinds.
using Kinds = std::uint8_t;
inline constexpr Kinds kText = 1, kFlag = 2, kWhole = 4, kNumber = 8, kNull = 16, kList = 32, kMap = 64;
inline constexpr Kinds kAnything = 127;

/// As what a value stands in the model that is printed, and so when it is left out of it: where it is the
/// default of its kind. Of a `_kept` one also the default is printed, once it is written.
enum class As : std::uint8_t {
  nothing,  ///< read by the reader and no part of the model
  anything,
  text,
  flag,
  flag_kept,
  flag_always,
  whole,
  whole_always,
  whole_kept,
  count,       ///< a whole number, not negative
  count_kept,  ///< the same
  real,        ///< of single precision, as the reference has it
  bytes,       ///< as decimal digits in a string
  bytes_always,
  duration,
  duration_kept,
  mode,       ///< of a file, in octal
  devices,    ///< how many; -1 for all
  texts,      ///< a list, or one text for a list of one
  words,      ///< a command line, or its words, or null; always there
  test,       ///< of a healthcheck
  strings,    ///< names to strings, or a list of NAME=value
  variables,  ///< the same, where a name may be without a value
  lists,      ///< names to lists of strings
  hosts,      ///< names to addresses
  keys,       ///< ids to paths
  ulimit,
  section,         ///< a mapping whose keys have rows of their own
  section_always,  ///< there even where nothing of it is written
  sections,        ///< a list of such mappings
  names,           ///< names to such mappings
};

/// How a value goes over that of an earlier file.
enum class Merge : std::uint8_t {
  by_kind,  ///< mappings merge, lists append, all else replaces
  replace,  ///< null too
  pairs,    ///< both to lists, one after the other
  named,    ///< both to mappings: `build`, `networks`, `depends_on`
  build,
  depends_on,
  logging,  ///< by kind where the driver is the same
  hosts,    ///< lists, without what is there already
  pools,    ///< address pools, by subnet
  limit,    ///< the later one
};

/// What makes two entries of a list the same one, of which the later stays at the place of the earlier.
enum class Same : std::uint8_t { no, name, text, port, volume, device, secret, config, path };

/// From where a relative path counts.
enum class Path : std::uint8_t {
  no,
  plain,    ///< the project's directory
  context,  ///< the same, but for URLs and other services
  unix_,    ///< the same, but for Windows' absolute paths
  watched,  ///< the same, with links followed
};

/// Which short form it has beside the long one.
enum class Short : std::uint8_t {
  none,
  text,        ///< of a flag
  list,        ///< one text, of a list of them
  build,       ///< the context
  service,     ///< the name, of `extends`
  env_files,   ///< a path, or paths among the entries
  pairs,       ///< a list of NAME=value
  names,       ///< a list of names, of a mapping without values
  depends_on,  ///< a list of names
  keys,        ///< a list of ID=path
  volumes,     ///< texts among the entries, as in the next four
  ports,
  devices,
  files,
  includes,
  gpus,      ///< the word `all`
  external,  ///< a mapping with a name
  limit,     ///< a number
};

/// What a key's value must be beyond its kind, and what the steps of the reader do with it.
struct Rules {
  Kinds items = kText;                       ///< of a list
  Kinds values = 0;                          ///< of a mapping of any names; 0: its keys have rows
  std::string_view one_of;                   ///< words with '|' between
  bool (*fits)(std::string_view) = nullptr;  ///< what a text must look like
  std::int64_t least = INT64_MIN, most = INT64_MAX;
  bool required = false;
  bool distinct = false;   ///< a list without two equal items
  bool extensions = true;  ///< may hold keys that begin with x-
  bool open = false;       ///< may hold any other key
  bool typed = false;      ///< a text is made the number or flag it stands for as soon as variables are in
  Merge merge = Merge::by_kind;
  Same same = Same::no;
  Path path = Path::no;
  Short short_form = Short::none;
};

/// A row of the one table of what a compose file may hold.
struct Shape {
  std::string_view path;  ///< "services.*.ports.*.target": `*` for a name, or for an item that is a mapping
  Kinds takes;
  As as;
  Rules rules = {};
};

/// Every key of the Compose Specification, in the order in which Compose prints them.
std::span<const Shape> shapes();

/// The table as a tree, which the steps of the reader walk beside a document.
struct Schema {
  const Shape* shape = nullptr;                                     ///< nullptr: the document itself
  std::vector<std::pair<std::string_view, const Schema*>> members;  ///< in the table's order
  const Schema* any = nullptr;                                      ///< of every name, or every item

  /// Of the member of that name; nullptr where there is none.
  const Schema* below(std::string_view name) const;
};

const Schema& schema();

bool is_extension(std::string_view key);

/// Letters, digits, '.', '_' and '-': the name of a service, a network, a volume ...
bool is_name(std::string_view name);

}  // namespace holdall::app
