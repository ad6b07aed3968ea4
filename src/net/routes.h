#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/server.h"

namespace holdall::net {

/// `%41` -> `A`; with `plus`, `+` -> a blank (queries). Throws `invalid` for a broken escape or a NUL.
std::string percent_decode(std::string_view text, bool plus = false);

/// Which row of a routes table a request means.
struct Match {
  const Route* route = nullptr;         ///< none: nothing has that path, or not with that method
  std::string allow;                    ///< the methods that the path has, if it has any: "GET, HEAD"
  std::vector<std::string> parameters;  ///< decoded
};

/// Segments are compared after decoding, so that an encoded slash stays inside its segment. HEAD finds GET's
/// row. `path` is as sent; throws `invalid` when it cannot be decoded.
Match find_route(const std::vector<Route>& routes, std::string_view method, std::string_view path);

}  // namespace holdall::net
