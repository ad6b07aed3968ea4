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
    "addons",  "attach",  "backups",  "build",  "certs",     "cp",  "create",      "drains",
    "eject",   "forward", "images",   "import", "jobs",      "ls",  "pause",       "port",
    "pull",    "push",    "registry", "rm",     "schedules", "env", "maintenance", "test",
    "unpause", "upgrade", "volumes",  "wait",   "watch",
};

using Spelling = std::pair<std::string_view, std::string_view>;

// What Heroku, Kamal and docker-compose v1 call it -> what it is called here. Words that belong together are
// separated by blanks: Kamal's `app exec`, or Heroku's `pg:psql`. What ends with '.' is a sentence of its
// own.
constexpr std::array kElsewhere{
    // Heroku
    Spelling{"config:set", "env set"},
    Spelling{"config:unset", "env unset"},
    Spelling{"config:get", "env"},
    Spelling{"config:edit", "env set"},
    Spelling{"ps:scale", "scale"},
    Spelling{"ps:restart", "restart"},
    Spelling{"ps:stop", "stop"},
    Spelling{"ps:exec", "exec"},
    Spelling{"ps:kill", "kill"},
    Spelling{"dyno:scale", "scale"},
    Spelling{"dyno:restart", "restart"},
    Spelling{"dyno:stop", "stop"},
    Spelling{"logs:tail", "logs -f"},
    Spelling{"releases:info", "releases show"},
    Spelling{"releases:output", "releases show"},
    Spelling{"releases:rollback", "rollback"},
    Spelling{"apps:create", "deploy"},
    Spelling{"apps:destroy", "apps destroy"},
    Spelling{"apps:info", "status"},
    Spelling{"apps:open", "open"},
    Spelling{"apps:errors", "status"},
    Spelling{"apps:rename", "deploy -p NAME"},
    Spelling{"info", "status"},
    Spelling{"maintenance:on", "maintenance on"},
    Spelling{"maintenance:off", "maintenance off"},
    Spelling{"run:detached", "run -d"},
    Spelling{"run:inside", "exec"},
    Spelling{"local", "up"},
    Spelling{"local:start", "up"},
    Spelling{"local:run", "run"},
    Spelling{"access:add", "access add"},
    Spelling{"access:remove", "access remove"},
    Spelling{"keys:add", "access add"},
    Spelling{"keys:remove", "access remove"},
    Spelling{"autocomplete", "completion bash"},
    Spelling{"domains", "status; a domain is `route:` of a service in compose.yaml."},
    Spelling{"domains:add", "deploy; a domain is `route:` of a service in compose.yaml."},
    Spelling{"domains:remove", "deploy; a domain is `route:` of a service in compose.yaml."},
    Spelling{"pg:psql", "exec SERVICE psql"},
    Spelling{"pg:info", "status"},
    Spelling{"redis:cli", "exec SERVICE redis-cli"},
    // Kamal
    Spelling{"app exec", "exec"},
    Spelling{"app logs", "logs"},
    Spelling{"app boot", "deploy"},
    Spelling{"app start", "start"},
    Spelling{"app stop", "stop"},
    Spelling{"app details", "status"},
    Spelling{"app containers", "ps"},
    Spelling{"app images", "releases"},
    Spelling{"app maintenance", "maintenance on"},
    Spelling{"app live", "maintenance off"},
    Spelling{"app version", "releases"},
    Spelling{"app remove", "apps destroy"},
    Spelling{"app", "ps"},
    Spelling{"accessory boot", "deploy; an accessory is a service of compose.yaml."},
    Spelling{"accessory exec", "exec"},
    Spelling{"accessory logs", "logs"},
    Spelling{"accessory restart", "restart"},
    Spelling{"accessory reboot", "restart"},
    Spelling{"accessory start", "start"},
    Spelling{"accessory stop", "stop"},
    Spelling{"accessory details", "status"},
    Spelling{"accessory", "deploy; an accessory is a service of compose.yaml."},
    Spelling{"proxy reboot",
             "restart; the router is part of `holdall serve`, and needs no start of its own."},
    Spelling{"proxy logs", "logs"},
    Spelling{"proxy", "status; the router is part of `holdall serve`, and needs no start of its own."},
    Spelling{"traefik", "status; the router is part of `holdall serve`, and needs no start of its own."},
    Spelling{"redeploy", "deploy"},
    Spelling{"details", "status"},
    Spelling{"audit", "releases"},
    Spelling{"envify", "secrets import FILE"},
    Spelling{"env push", "env set"},
    Spelling{"secrets fetch", "secrets import FILE"},
    Spelling{"secrets extract", "secrets list"},
    Spelling{"lock release", "releases cancel"},
    Spelling{"lock", "deploy --wait"},
    Spelling{"server bootstrap", "setup"},
    Spelling{"server exec", "exec"},
    Spelling{"server", "setup"},
    Spelling{"init", "up; there is nothing to initialise beside compose.yaml."},
    Spelling{"prune", "releases; the last ten are kept, what is older goes by itself."},
    Spelling{"build push", "deploy"},
    Spelling{"build deliver", "deploy"},
    Spelling{"remove", "apps destroy"},
    Spelling{"docs", "--help"},
    // docker-compose v1 and docker
    Spelling{"compose", "up; `compose` is left out, as in `holdall up`."},
    Spelling{"convert", "config"},
    Spelling{"inspect", "ps --json"},
    Spelling{"service ls", "ps"},
    Spelling{"service logs", "logs"},
    Spelling{"service scale", "scale"},
    Spelling{"stack deploy", "deploy"},
    Spelling{"stack ps", "ps"},
    Spelling{"stack rm", "apps destroy"},
    // Fly
    Spelling{"launch", "deploy"},
    Spelling{"ssh console", "exec"},
    Spelling{"ssh", "exec"},
    Spelling{"console", "exec"},
    Spelling{"scale count", "scale"},
};

bool is_later(std::string_view word) { return std::find(kLater.begin(), kLater.end(), word) != kLater.end(); }

bool is_ours(std::string_view word, std::span<const Command> table) {
  return word.starts_with("-") ||
         std::ranges::any_of(table, [&](const Command& row) { return row.name == word; });
}

std::string_view first_word(std::string_view words) { return words.substr(0, words.find_first_of(" ;")); }

/// Ours for what was typed, as a sentence; nothing if nobody else has such a word either.
std::string spelled_elsewhere(const std::vector<std::string>& typed, std::span<const Command> table) {
  const std::string two = typed.size() < 2 ? "" : typed[0] + " " + typed[1];
  for (const std::string& said : {two, typed[0]}) {
    for (const auto& [theirs, ours] : kElsewhere) {
      if (theirs != said) continue;
      std::string note = is_ours(first_word(ours), table) ? "" : ", which is not in this version yet";
      std::size_t more = std::min(ours.find(';'), ours.size());
      return fmt::format("'{}' is `holdall {}` here{}{}", theirs, ours.substr(0, more), note,
                         ours.ends_with('.') ? ours.substr(more, ours.size() - more - 1) : "");
    }
  }
  return "";
}

}  // namespace

std::string unknown_command(const std::vector<std::string>& typed, std::span<const Command> table) {
  const std::string& word = typed.front();
  if (std::string hint = spelled_elsewhere(typed, table); !hint.empty()) return hint;
  if (is_later(word)) return fmt::format("`holdall {}` is not in this version yet", word);
  // Two slips at most, and never most of the word.
  std::size_t nearest = std::min<std::size_t>(2, (word.size() - 1) / 2);
  std::string_view meant;
  for (const Command& command : table) {
    if (command.group.empty()) continue;
    std::size_t slips = edit_distance(word, command.name);
    if (slips > nearest || (slips == nearest && !meant.empty())) continue;
    nearest = slips;
    meant = command.name;
  }
  std::string hint = meant.empty() ? "see: holdall --help" : fmt::format("did you mean `holdall {}`?", meant);
  return fmt::format("unknown command '{}'\n  {}", word, hint);
}

}  // namespace holdall::cli
