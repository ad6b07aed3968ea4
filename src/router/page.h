#pragma once

#include <string>
#include <string_view>

namespace holdall::router {

/// What the router says in its own name. The views outlive it.
struct Page {
  std::string_view type;  ///< of its content
  std::string_view body;
  int retry_after = 0;  ///< seconds; 0: it does not say
};

/// That the app is in maintenance, as HTML, JSON or text, whichever an Accept header (perhaps empty) prefers.
Page maintenance_page(std::string_view accept);

/// The value of a header in a written head; empty if it has none.
std::string_view header_in(std::string_view head, std::string_view name);

}  // namespace holdall::router
