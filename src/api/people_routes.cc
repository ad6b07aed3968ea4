#include <fmt/format.h>

#include <algorithm>

#include "api/calls.h"
#include "api/handlers.h"
#include "api/ssh_key.h"
#include "base/digest.h"
#include "base/error.h"

namespace holdall::api {
namespace {

constexpr std::size_t kCallsShown = 50, kMostCallsShown = 10'000;

/// A name stands in sshd's file, in a shell's words and in lists: letters, digits and ._@-.
void check_name(const std::string& name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr std::size_t kLongest = 64;
  bool good = !name.empty() && name.size() <= kLongest && kLetters.contains(name.front());
  for (char c : name) good &= kLetters.contains(c) || std::string_view("._@-").contains(c);
  if (good) return;
  throw Error(Error::invalid,
              fmt::format("{} is no name for somebody: up to {} letters, digits and ._@-, beginning with a "
                          "letter or a digit",
                          json_quote(name), kLongest));
}

std::vector<std::string> apps_of(const Json& body) {
  std::vector<std::string> apps;
  if (const Json* listed = body.find("apps"); listed && !listed->is_null()) {
    for (const Json& app : listed->items()) apps.push_back(app.string());
  }
  std::ranges::sort(apps);
  apps.erase(std::unique(apps.begin(), apps.end()), apps.end());
  if (std::ranges::find(apps, "") != apps.end()) throw Error(Error::invalid, "an app has a name");
  return apps;
}

std::size_t count_of(const net::Request& request) {
  const std::optional<std::string> n = request.parameter("n");
  return n ? std::min(static_cast<std::size_t>(parse_number(*n, "count")), kMostCallsShown) : kCallsShown;
}

}  // namespace

net::Response Handlers::people(net::Request&) {
  Json all = Json::array();
  for (const Person& person : *people_.all()) all.add(to_json(person));
  return net::json_response(Json::object({{"people", all}}));
}

net::Response Handlers::add_person(net::Request& request) {
  const Json body = request.json();
  Person person{.name = body.at("name").string(),
                .role = parse_right(body.at("role").string()),
                .apps = apps_of(body),
                .keys = {},
                .token = "",
                .expires = std::nullopt,
                .created = parts_.clock.wall(),
                .created_by = request.user};
  check_name(person.name);
  std::string token;
  if (body.boolean_or("token", false)) {
    token = "hld_" + random_token();
    person.token = sha256(token).value;
    std::int64_t seconds = body.integer_or("expires_s", 0);
    constexpr std::int64_t kTenYears = std::int64_t{3650} * 24 * 3600;
    if (seconds < 0 || seconds > kTenYears)
      throw Error(Error::invalid, "a token expires in the future, within ten years");
    if (seconds) person.expires = person.created + std::chrono::seconds(seconds);
  } else {
    person.keys = parse_ssh_keys(body.at("keys").string());
  }
  bool added = people_.add(person);
  Json answer = Json::object({{"person", to_json(person)}});
  if (!added) return net::json_response(answer);
  if (!token.empty()) answer["token"] = token;
  return net::json_response(answer, 201);
}

net::Response Handlers::remove_person(net::Request& request) {
  people_.remove(request.parameters.at(0));
  visits_.look();
  return net::json_response(Json::object());
}

net::Response Handlers::calls(net::Request& request) {
  Caller caller = access_.caller(request);
  std::vector<std::string> apps = caller.apps;
  if (auto app = request.parameter("app")) {
    if (!caller.may(Right::admin, *app)) {
      throw Error(Error::denied, fmt::format("{} may not see what is done to {}", caller.name, *app));
    }
    apps = {*app};
  }
  Json all = Json::array();
  for (const Call& call : calls_.list(apps, count_of(request))) all.add(to_json(call));
  return net::json_response(Json::object({{"calls", all}}));
}

}  // namespace holdall::api
