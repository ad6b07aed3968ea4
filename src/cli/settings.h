#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "cli/cli.h"

namespace holdall::cli {

/// One setting of the daemon and who said it: "--http", "HOLDALL_HTTP", "/etc/holdall/holdall.conf:3",
/// "default".
struct Setting {
  std::string value, origin;
  bool operator==(const Setting&) const = default;
};

struct SettingSources {
  std::map<std::string, std::string> flags;  ///< "HOLDALL_HTTP" -> value
  std::map<std::string, std::string> environment;
  std::map<std::string, Setting> file;
  bool root = false;
};

/// Every setting by its variable's name: flag over environment over file over default. A pure function.
std::map<std::string, Setting> resolve(const SettingSources& sources);

/// KEY=VALUE lines, '#' comments and empty lines; no file is an empty one. Throws `invalid` with every
/// problem.
std::map<std::string, Setting> read_settings_file(const std::filesystem::path& path);

/// The process's environment.
std::map<std::string, std::string> environment();

/// What any command sees: environment, /etc/holdall/holdall.conf, defaults, and these flags.
std::map<std::string, Setting> settings(std::map<std::string, std::string> flags = {});

/// Where a command finds this machine's server when nothing names one: HOLDALL_API; else this user's own, and
/// where there is none, the one that root runs for everybody in its group.
std::string local_api();

/// `own` is HOLDALL_API's setting; `there` says whether a socket is. A pure function.
std::string choose_api(const Setting& own, const std::function<bool(const std::string&)>& there);

/// A socket's path, with or without "unix://".
net::Address socket_at(const std::string& text);

}  // namespace holdall::cli
