#include "cli/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "base/error.h"
#include "base/files.h"

extern char** environ;

namespace holdall::cli {
namespace {

constexpr std::array kNames{"HOLDALL_STATE",   "HOLDALL_API",          "HOLDALL_HTTP",
                            "HOLDALL_KEYS",    "HOLDALL_ENGINE",       "HOLDALL_UIDS",
                            "HOLDALL_API_TLS", "HOLDALL_API_TLS_CERT", "HOLDALL_API_TLS_KEY"};
constexpr const char* kRootsApi = "/run/holdall/api.sock";
constexpr const char* kFile = "/etc/holdall/holdall.conf";

std::string value_or(const std::map<std::string, std::string>& environment, const std::string& name,
                     const std::string& fallback) {
  auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? fallback : found->second;
}

std::string default_value(const std::string& name, const SettingSources& sources, const std::string& state) {
  if (name == "HOLDALL_ENGINE") return "process";
  if (name.starts_with("HOLDALL_API_TLS")) return "";
  if (name == "HOLDALL_UIDS") return sources.root ? "200000-265535" : "";
  if (name == "HOLDALL_HTTP") return sources.root ? ":80" : "127.0.0.1:8080";
  std::string home = value_or(sources.environment, "HOME", "/");
  if (name == "HOLDALL_KEYS") {
    if (sources.root) return "/etc/holdall/keys";
    return value_or(sources.environment, "XDG_CONFIG_HOME", home + "/.config") + "/holdall/keys";
  }
  if (name == "HOLDALL_STATE") {
    if (sources.root) return "/var/lib/holdall";
    return value_or(sources.environment, "XDG_STATE_HOME", home + "/.local/state") + "/holdall";
  }
  if (sources.root) return kRootsApi;
  // A session without a runtime directory (su, cron) keeps its sockets with its state.
  std::string runtime = value_or(sources.environment, "XDG_RUNTIME_DIR", "");
  return runtime.empty() ? state + "/run/api.sock" : runtime + "/holdall/api.sock";
}

Setting choose(const std::string& name, const SettingSources& sources, const std::string& state) {
  if (auto flag = sources.flags.find(name); flag != sources.flags.end()) {
    std::string word = "--";
    for (char c : name.substr(8)) {
      word += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return {flag->second, word};
  }
  std::string variable = value_or(sources.environment, name, "");
  if (!variable.empty()) return {variable, name};
  if (auto line = sources.file.find(name); line != sources.file.end()) return line->second;
  return {default_value(name, sources, state), "default"};
}

bool is_known(std::string_view name) {
  for (std::string_view known : kNames) {
    if (known == name) return true;
  }
  return false;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

}  // namespace

std::map<std::string, Setting> resolve(const SettingSources& sources) {
  std::map<std::string, Setting> settings;
  for (const char* name : kNames) {
    // HOLDALL_STATE comes first: the socket's place may follow from it.
    settings[name] = choose(name, sources, settings["HOLDALL_STATE"].value);
  }
  return settings;
}

std::map<std::string, Setting> read_settings_file(const std::filesystem::path& path) {
  std::map<std::string, Setting> settings;
  std::optional<std::string> content = read_file_if_exists(path);
  if (!content) return settings;
  std::vector<Problem> problems;
  std::istringstream lines(*content);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    std::size_t equals = line.find('=');
    std::string name = trimmed(line.substr(0, equals));
    Where where{path.string(), number, 0};
    if (equals == line.npos) {
      problems.push_back({where, fmt::format("'{}' is no KEY=VALUE", line), ""});
    } else if (!is_known(name)) {
      problems.push_back({where, fmt::format("unknown setting '{}'", name),
                          fmt::format("known: {}", fmt::join(kNames, ", "))});
    } else {
      settings[name] = {trimmed(line.substr(equals + 1)), text(where)};
    }
  }
  throw_if_any(problems);
  return settings;
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view variable = *entry;
    std::size_t equals = variable.find('=');
    if (equals != variable.npos) all.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return all;
}

std::map<std::string, Setting> settings(std::map<std::string, std::string> flags) {
  return resolve({std::move(flags), environment(), read_settings_file(kFile), geteuid() == 0});
}

std::string choose_api(const Setting& own, const std::function<bool(const std::string&)>& there) {
  const bool roots = own.origin == "default" && !there(own.value) && there(kRootsApi);
  return roots ? kRootsApi : own.value;
}

std::string local_api() {
  return choose_api(settings().at("HOLDALL_API"), [](const std::string& path) {
    std::error_code hidden;  // what may not be looked at is not there for us
    return std::filesystem::is_socket(path, hidden);
  });
}

net::Address socket_at(const std::string& text) {
  net::Address address;
  address.path = text.starts_with("unix://") ? text.substr(7) : text;
  if (!address.path.starts_with('/')) {
    throw Error(Error::invalid,
                fmt::format("'{}' is no socket: an absolute path or unix:///path is needed", text));
  }
  net::socket_address(address);  // refuses a path that is too long
  return address;
}

}  // namespace holdall::cli
