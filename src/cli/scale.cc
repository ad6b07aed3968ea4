#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/id.h"
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
  const Target target = target_of(call.globals);
  confirm_change(call.globals, target, "changes how many instances it has");
  std::deque<Server> servers = servers_at(target.hosts);
  const std::string path = fmt::format("/v1/apps/{}/scale", wire::percent_encode(target.app));
  return roll_out(call, target.app, servers, how,
                  [&](Server& server) { return server.post(path, body, random_id()); });
}

}  // namespace holdall::cli
