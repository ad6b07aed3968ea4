#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace holdall::app {

/// Where a parser of YAML could not go on, in its own words.
struct YamlFault {
  std::string problem;  ///< "mapping values are not allowed in this context"
  Where at;
  std::string context;  ///< "while parsing a block mapping"; may be empty
  Where begun;          ///< where that began; line 0: not said
};

/// What the person did who wrote `text`, as far as it can be told: a parser says what it expected, which is
/// seldom what is wrong. Values of the text enter no message.
Problem explain(const YamlFault& fault, std::string_view text);

}  // namespace holdall::app
