#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "wire/wire.h"

namespace holdall::wire {
namespace {

Json to_json(const std::map<std::string, std::string>& strings) {
  Json json = Json::object();
  for (const auto& [key, value] : strings) json[key] = value;
  return json;
}

std::map<std::string, std::string> parse_strings(const Json& request, std::string_view key) {
  std::map<std::string, std::string> strings;
  const Json* json = request.find(key);
  if (!json || json->is_null()) return strings;
  for (const auto& [name, value] : json->members()) strings.emplace(name, value.string());
  return strings;
}

/// "0.1.0" -> {0, 1}.
std::pair<int, int> major_minor(std::string_view version) {
  std::pair<int, int> numbers{-1, -1};
  const char* end = version.data() + version.size();
  auto major = std::from_chars(version.data(), end, numbers.first);
  bool readable = major.ec == std::errc() && major.ptr != end && *major.ptr == '.';
  if (readable) readable = std::from_chars(major.ptr + 1, end, numbers.second).ec == std::errc();
  if (!readable) throw Error(Error::invalid, fmt::format("'{}' is no version", version));
  return numbers;
}

}  // namespace

void check_versions(std::string_view client, std::string_view server) {
  if (client.empty() || server.empty()) return;
  auto ours = major_minor(client), theirs = major_minor(server);
  bool compatible = ours.first == theirs.first && (ours.first > 0 || ours.second == theirs.second);
  if (compatible) return;
  throw Error(Error::invalid,
              fmt::format("client {} and server {} do not speak the same API; install holdall {} on {}",
                          client, server, std::max(ours, theirs) == ours ? client : server,
                          std::max(ours, theirs) == ours ? "the server" : "this machine"));
}

Json to_json(const Build& build) {
  return Json::object({{"source", build.source},
                       {"version", build.version},
                       {"commit", build.commit},
                       {"build", build.build}});
}

Json to_json(const DeployRequest& request) {
  return Json::object({{"model", request.model},
                       {"artefacts", to_json(request.artefacts)},
                       {"places", to_json(request.places)},
                       {"sealed", request.sealed},
                       {"commit", request.commit},
                       {"environment", request.environment},
                       {"development", request.development},
                       {"force", request.force},
                       {"variables", request.variables},
                       {"release_commands", request.release_commands}});
}

DeployRequest parse_deploy_request(const Json& json) {
  DeployRequest request;
  request.model = json.at("model");
  request.artefacts = parse_strings(json, "artefacts");
  request.places = parse_strings(json, "places");
  request.sealed = json.string_or("sealed", "");
  request.commit = json.string_or("commit", "");
  request.environment = json.string_or("environment", "");
  request.development = json.boolean_or("development", false);
  request.force = json.boolean_or("force", false);
  if (const Json* variables = json.find("variables")) request.variables = *variables;
  request.release_commands = json.boolean_or("release_commands", true);
  return request;
}

Json to_json(const Instance& instance) {
  Json running = instance.running_ms < 0 ? Json() : Json(instance.running_ms);
  return Json::object({{"id", instance.id},
                       {"service", instance.service},
                       {"slot", instance.slot},
                       {"release", instance.release},
                       {"health", instance.health},
                       {"address", instance.address},
                       {"reason", instance.reason},
                       {"restarts", instance.restarts},
                       {"exit_code", instance.exit_code},
                       {"running_ms", running},
                       {"command", instance.command}});
}

Instance parse_instance(const Json& json) {
  Instance instance;
  instance.id = json.at("id").string();
  instance.service = json.at("service").string();
  instance.slot = static_cast<int>(json.at("slot").integer());
  instance.release = json.string_or("release", "");
  instance.health = json.at("health").string();
  instance.address = json.string_or("address", "");
  instance.reason = json.string_or("reason", "");
  instance.restarts = static_cast<int>(json.integer_or("restarts", 0));
  instance.exit_code = static_cast<int>(json.integer_or("exit_code", 0));
  instance.running_ms = json.integer_or("running_ms", -1);
  instance.command = json.string_or("command", "");
  return instance;
}

Json to_json(const LogLine& line) {
  return Json::object({{"service", line.service},
                       {"slot", line.slot},
                       {"instance", line.instance},
                       {"stream", line.stream},
                       {"time", rfc3339(line.time)},
                       {"time_ns", nanoseconds(line.time)},
                       {"next", line.next},
                       {"text", line.text}});
}

LogLine parse_log_line(const Json& json) {
  LogLine line;
  line.service = json.at("service").string();
  line.slot = static_cast<int>(json.at("slot").integer());
  line.instance = json.at("instance").string();
  line.stream = json.at("stream").string();
  line.time = wall_time(json.at("time_ns").integer());
  line.next = static_cast<std::uint64_t>(json.integer_or("next", 0));
  line.text = json.at("text").string();
  return line;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

}  // namespace holdall::wire
