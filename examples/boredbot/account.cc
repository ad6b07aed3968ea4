#include "account.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "net/client.h"

namespace boredbot {

using holdall::Deadline;
using holdall::Error;
using holdall::Json;

namespace {

// A page of a hundred rows is some tens of kilobytes.
constexpr std::size_t kLargestAnswer = 1 << 20;

/// What the API says went wrong: `{"code": 119, "error": "..."}`.
std::string complaint(const std::string& body) {
  try {
    const Json answer = Json::parse(body);
    const Json* error = answer.find("error");
    return error && error->is_string() ? ": " + error->string() : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

Account::Account(std::string name, holdall::net::Url url, std::string application_id, holdall::Secret key)
    : name_(std::move(name)),
      url_(std::move(url)),
      application_id_(std::move(application_id)),
      key_(std::move(key)) {}

Json Account::call(std::string_view method, const std::string& path, std::string body, int expected,
                   Deadline deadline) const {
  const holdall::net::Url url = at(url_, (url_.target == "/" ? "" : url_.target) + path);
  try {
    holdall::net::ClientResponse answer =
        fetch(url,
              {.method = std::string(method),
               .headers = {{"X-Parse-Application-Id", application_id_},
                           {"X-Parse-REST-API-Key", std::string(key_.view())},
                           {"Content-Type", "application/json"}},
               .body = std::move(body)},
              deadline, {.largest_body = kLargestAnswer});
    if (answer.status == 401 || answer.status == 403) {
      throw Error(Error::denied,
                  fmt::format("{}{}: is its key still right?", answer.status, complaint(answer.body)));
    }
    if (answer.status != expected) {
      throw Error(Error::failed, fmt::format("{}{}", answer.status, complaint(answer.body)));
    }
    return Json::parse(answer.body);
  } catch (const Error& error) {
    throw error.during(fmt::format("{} account, {} {}", name_, method, path.substr(0, path.find('?'))));
  }
}

void Account::create(std::string_view kind, const Json& fields, Deadline deadline) const {
  call("POST", fmt::format("/classes/{}", kind), fields.print(), 201, deadline);
}

std::vector<Json> Account::newest(std::string_view kind, std::string_view order, int limit,
                                  Deadline deadline) const {
  const Json answer =
      call("GET", fmt::format("/classes/{}?order=-{}&limit={}", kind, order, limit), "", 200, deadline);
  return answer.at("results").items();
}

}  // namespace boredbot
