#include "kit/web.h"

#include <fmt/format.h>

#include "base/error.h"
#include "net/routes.h"

namespace holdall::kit {
namespace {

constexpr std::string_view kForm = "application/x-www-form-urlencoded";

net::Response of_type(std::string_view type, std::string body, int status) {
  net::Response out;
  out.status = status;
  out.content_type = type;
  out.body = std::move(body);
  // What is said to be text is not to be taken for a script.
  out.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

net::Response html(std::string body, int status) {
  return of_type("text/html; charset=utf-8", std::move(body), status);
}

net::Response text(std::string body, int status) {
  return of_type("text/plain; charset=utf-8", std::move(body), status);
}

net::Response redirect(std::string location, int status) {
  net::Response out = text("see " + location + "\n", status);
  out.headers.emplace_back("Location", std::move(location));
  return out;
}

const std::string* Form::find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::string& Form::at(std::string_view name) const {
  if (const std::string* found = find(name)) return *found;
  throw Error(Error::invalid, fmt::format("the form has no field {}", json_quote(name)));
}

Form form(const net::Request& request) {
  std::string_view type = request.header("Content-Type");
  type = type.substr(0, type.find_first_of("; "));
  if (!net::http::equals_ignoring_case(type, kForm)) {
    throw Error(Error::invalid, fmt::format("the body has to be a form, Content-Type: {}", kForm));
  }
  if (request.body_file) throw Error(Error::invalid, "a form may have 1 MiB at most");
  std::vector<std::pair<std::string, std::string>> fields;
  for (std::string_view rest = request.body; !rest.empty();) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    std::size_t equals = std::min(pair.find('='), pair.size());
    std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    fields.emplace_back(net::percent_decode(pair.substr(0, equals), true), net::percent_decode(value, true));
  }
  return Form(std::move(fields));
}

}  // namespace holdall::kit
