#include "net/handling.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <typeinfo>

#include "base/id.h"
#include "base/log.h"

namespace holdall::net {
namespace {

std::string type_name(const std::exception& error) {
  const char* mangled = typeid(error).name();
  std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr),
                                                   &std::free);
  return name ? name.get() : mangled;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

/// A value with a line break in it would begin a header, or an answer, of its own.
void check_headers(const Response& response) {
  auto refuse = [](std::string_view name) {
    throw Error(Error::broken, fmt::format("the answer's header {} has a control character", name));
  };
  if (has_control(response.content_type)) refuse("Content-Type");
  for (const auto& [name, value] : response.headers) {
    if (has_control(name) || has_control(value)) refuse(json_quote(name));
  }
}

Outcome internal_error(std::string fault, std::string type) {
  return {error_response(Error(Error::broken, "internal error: the server's log says more")),
          std::move(fault), Json::object({{"error", std::move(type)}})};
}

Outcome answer(const Route& route, Request& request) {
  try {
    Response response = route.handler(request);
    check_headers(response);
    return {std::move(response)};
  } catch (const Error& error) {
    bool ours = error.kind() == Error::broken;
    return {error_response(error), ours ? error.what() : ""};
  } catch (const std::exception& error) {
    return internal_error(error.what(), type_name(error));
  } catch (...) {
    return internal_error("unknown exception", "unknown");
  }
}

std::string request_id(std::string_view given) {
  constexpr std::size_t kLongest = 128;
  bool plain = std::ranges::all_of(given, [](char c) { return c > ' ' && c < 0x7f; });
  return given.empty() || given.size() > kLongest || !plain ? random_uuid() : std::string(given);
}

void add_addresses(std::string_view list, std::vector<std::string>& out) {
  while (!list.empty()) {
    std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
    while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
    if (!one.empty()) out.emplace_back(one);
  }
}

}  // namespace

Outcome run_handler(const Route& route, Request& request) {
  log::Context context(Json::object({{"rid", request.header("X-Request-ID")}}));
  Outcome out = answer(route, request);
  if (request.log_fields.is_object()) {
    for (auto& [name, value] : request.log_fields.members()) out.fields[name] = std::move(value);
  }
  return out;
}

RequestRecord begin_record(const http::Head& head, const std::string& remote) {
  RequestRecord out;
  out.method = head.method;
  out.path = head.target.substr(0, head.target.find('?'));
  out.id = request_id(head.find("X-Request-ID"));
  out.agent = head.find("User-Agent");
  out.language = head.find("Accept-Language");
  for (std::size_t i = 0; i < head.header_count; ++i) {
    bool forwarded = http::equals_ignoring_case(head.headers[i].name, "X-Forwarded-For");
    if (forwarded) add_addresses(head.headers[i].value, out.addresses);
  }
  if (!remote.empty()) out.addresses.push_back(remote);
  return out;
}

}  // namespace holdall::net
