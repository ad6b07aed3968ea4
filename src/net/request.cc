#include <fmt/format.h>

#include "net/routes.h"
#include "net/server.h"

namespace holdall::net {

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (http::equals_ignoring_case(key, name)) return value;
  }
  return {};
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    std::size_t equals = pair.find('=');
    if (percent_decode(pair.substr(0, equals), true) != name) continue;
    return equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

Json Request::json() const {
  if (body_file) throw Error(Error::invalid, "a JSON body may have 1 MiB at most");
  return Json::parse(body);
}

Response json_response(const Json& value, int status) {
  Response out;
  out.status = status;
  out.body = value.print();
  return out;
}

Response error_response(const Error& error) {
  Json fields = Json::object({{"kind", name(error.kind())}, {"message", error.what()}});
  return json_response(Json::object({{"error", std::move(fields)}}), http_status(error.kind()));
}

}  // namespace holdall::net
