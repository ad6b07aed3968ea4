#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/id.h"
#include "cli/app_name.h"
#include "cli/options.h"
#include "cli/rollout.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

/// "web=3", or with --reset "web".
Json scale_request(const std::vector<std::string>& words, bool reset) {
  Json services = Json::object(), resets = Json::array();
  std::vector<Problem> problems;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    int count = 0;
    const char* end = word.data() + word.size();
    const char* digits = word.data() + (equals == std::string::npos ? 0 : equals + 1);
    const auto parsed = std::from_chars(digits, end, count);
    if (reset && equals == std::string::npos) {
      resets.add(word);
    } else if (!reset && equals != std::string::npos && equals > 0 && parsed.ec == std::errc() &&
               parsed.ptr == end) {
      services[word.substr(0, equals)] = count;
    } else {
      problems.push_back({{},
                          fmt::format("'{}' is no {}", word, reset ? "service" : "SERVICE=NUMBER"),
                          reset ? "name services alone: holdall scale --reset web" : "write web=3"});
    }
  }
  throw_if_any(problems);
  return Json::object({{"services", std::move(services)}, {"reset", std::move(resets)}});
}

}  // namespace

int scale(Invocation& call) {
  RolloutOptions how;
  bool reset = false;
  std::vector<std::string> words;
  Options options(call, "  holdall scale web=3 worker=0\n  holdall scale --reset web");
  options.arguments("SERVICE=N", words, "how many instances; 0 stops the service");
  options.flag("--reset", reset, "go back to the number that the file says");
  options.flag("--detach", how.detach, "return once the release has begun");
  options.flag("--wait", how.wait, "wait for a release in progress to end first");
  options.flag("--json", how.json, "print the release as a JSON object when it has ended");
  if (!options.parse()) return 0;
  if (words.empty())
    throw Error(Error::invalid, "holdall scale: which service? write web=3; see: holdall scale --help");
  const Json body = scale_request(words, reset);
  std::string app = app_name(call.globals);
  Server server = server_of(call.globals);
  const std::string target = fmt::format("/v1/apps/{}/scale", wire::percent_encode(app));
  return roll_out(call, server, app, how, [&] { return server.post(target, body, random_id()); });
}

}  // namespace holdall::cli
