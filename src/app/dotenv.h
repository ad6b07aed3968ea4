#pragma once

#include <map>
#include <string>
#include <string_view>

#include "app/findings.h"
#include "app/template.h"

namespace holdall::app {

enum class DotenvFormat : std::uint8_t {
  compose,
  raw,  ///< KEY=VALUE to the end of the line: no quotes, comments after a value, or expansion
};

/// Adds the variables of an env file to `variables`, later ones winning. `$X` in a value is what `outside`
/// has, else what `variables` has by then; a bare KEY takes its value from `outside` and is absent without
/// one. Faults are problems with `file`'s name and line.
void parse_dotenv(std::string_view bytes, DotenvFormat format, const std::string& file, const Lookup& outside,
                  std::map<std::string, std::string>& variables, Findings& findings);

}  // namespace holdall::app
