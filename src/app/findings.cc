#include "app/findings.h"

#include <fmt/format.h>

namespace holdall::app {

void Findings::grow(std::size_t values, const Where& where, std::string_view path) {
  grown += values;
  if (grown <= kMostValues) return;
  throw_if_any({{where, fmt::format("{}: the project grows over {} values", path, kMostValues),
                 "what is extended, included, read from env files or spanned by a range of ports counts each "
                 "time it is"}});
}

}  // namespace holdall::app
