#include "cli/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/edit_distance.h"

namespace holdall::cli {
namespace {

// Commands that Holdall will have, so that their names are taken.
constexpr std::array kLater{
    "access",  "addons", "attach",  "backups", "build",       "certs",   "check",  "cp",     "create",
    "drains",  "eject",  "env",     "events",  "exec",        "forward", "images", "import", "jobs",
    "kill",    "ls",     "open",    "pause",   "maintenance", "port",    "pull",   "push",   "registry",
    "restart", "rm",     "run",     "scale",   "schedules",   "setup",   "start",  "stats",  "stop",
    "test",    "top",    "unpause", "upgrade", "volumes",     "wait",    "watch",
};

// What Heroku and Kamal call it -> what it is called here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kElsewhere{{
    {"config:set", "env set"},
    {"config:unset", "env unset"},
    {"config:get", "env"},
    {"ps:scale", "scale"},
    {"ps:restart", "restart"},
    {"logs:tail", "logs -f"},
    {"releases:info", "releases show"},
    {"releases:rollback", "rollback"},
    {"releases:output", "releases show"},
    {"apps:destroy", "apps destroy"},
    {"apps:info", "status"},
    {"maintenance:on", "maintenance on"},
    {"maintenance:off", "maintenance off"},
    {"run:detached", "jobs add"},
    {"redeploy", "deploy"},
    {"details", "status"},
    {"app", "ps"},
    {"remove", "apps destroy"},
}};

bool is_later(std::string_view word) { return std::find(kLater.begin(), kLater.end(), word) != kLater.end(); }

std::string first_word(std::string_view words) { return std::string(words.substr(0, words.find(' '))); }

}  // namespace

std::string unknown_command(std::string_view typed, std::span<const Command> table) {
  for (const auto& [theirs, ours] : kElsewhere) {
    if (theirs != typed) continue;
    std::string note = is_later(first_word(ours)) ? ", which is not in this version yet" : "";
    return fmt::format("unknown command '{}': here it is `holdall {}`{}", typed, ours, note);
  }
  if (is_later(typed)) return fmt::format("`holdall {}` is not in this version yet", typed);
  // Two slips at most, and never most of the word.
  std::size_t nearest = std::min<std::size_t>(2, (typed.size() - 1) / 2);
  std::string_view meant;
  for (const Command& command : table) {
    if (command.group.empty()) continue;
    std::size_t slips = edit_distance(typed, command.name);
    if (slips > nearest || (slips == nearest && !meant.empty())) continue;
    nearest = slips;
    meant = command.name;
  }
  std::string hint = meant.empty() ? "see: holdall --help" : fmt::format("did you mean `holdall {}`?", meant);
  return fmt::format("unknown command '{}'\n  {}", typed, hint);
}

}  // namespace holdall::cli
