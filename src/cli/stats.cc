#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <thread>

#include "base/error.h"
#include "cli/options.h"
#include "cli/watching.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// As top and docker: short enough to be news, long enough to be a rate.
constexpr auto kBetween = 1s;

// To the top of the screen, and clear from there.
constexpr std::string_view kAgain = "\x1b[H\x1b[J";

/// What was used between two looks at an instance, in percent of one processor.
std::optional<double> cpu_percent(const Json& now, const std::map<std::string, Json>& before) {
  auto found = before.find(now.at("id").string());
  if (found == before.end()) return std::nullopt;
  auto span = now.at("at_ns").integer() - found->second.at("at_ns").integer();
  auto used = now.at("cpu_ns").integer() - found->second.at("cpu_ns").integer();
  // A process that ended between the two took with it what it had used.
  return span <= 0 ? 0
                   : 100.0 * static_cast<double>(std::max<std::int64_t>(used, 0)) / static_cast<double>(span);
}

class Looks {
 public:
  Looks(Stack& stack, std::vector<std::string> services) : stack_(stack), services_(std::move(services)) {
    look();
  }

  /// What was used since the last look.
  Json next() {
    std::map<std::string, Json> before = std::move(last_);
    Json all = look();
    for (Json& instance : all.items()) {
      if (auto percent = cpu_percent(instance, before)) instance["cpu_percent"] = *percent;
    }
    return all;
  }

 private:
  Json look() {
    Json all = instances_of(stack_, "stats", services_);
    last_.clear();
    for (const Json& instance : all.items()) last_.emplace(instance.at("id").string(), instance);
    return all;
  }

  Stack& stack_;
  const std::vector<std::string> services_;
  std::map<std::string, Json> last_;
};

std::string stats_table(const Json& instances) {
  Table table({"NAME", "CPU %", "MEM USAGE / LIMIT", "PIDS"});
  for (const Json& instance : instances.items()) {
    const Json* percent = instance.find("cpu_percent");
    std::int64_t limit = instance.integer_or("memory_limit", 0);
    table.row(
        {instance_name(instance), percent ? fmt::format("{:.2f}%", percent->number()) : "-",
         fmt::format("{} / {}", memory_text(static_cast<std::uint64_t>(instance.at("memory").integer())),
                     limit ? memory_text(static_cast<std::uint64_t>(limit)) : "-"),
         fmt::format("{}", instance.at("processes").integer())});
  }
  return table.text();
}

}  // namespace

int stats(Invocation& call) {
  std::vector<std::string> services;
  bool once = false, json = false;
  Options options(call, "  holdall stats\n  holdall stats --no-stream --on production web");
  options.arguments("SERVICE", services, "only these");
  options.flag("--no-stream", once, "one table, as where there is no terminal");
  options.flag("--json", json, "print a JSON object, once");
  if (!options.parse()) return 0;
  Stack stack = running_stack(call.globals);
  Terminal out(1, call.globals.ansi);
  Looks looks(stack, services);
  do {
    std::this_thread::sleep_for(kBetween);
    Json instances = looks.next();
    if (json) {
      std::fputs(Json::object({{"app", stack.app}, {"instances", instances}}).pretty().c_str(), stdout);
    } else {
      bool again = out.interactive() && !once;
      std::fputs(fmt::format("{}{}", again ? kAgain : "", stats_table(instances)).c_str(), stdout);
    }
    if (std::fflush(stdout) != 0) throw_errno(Error::failed, "write the answer", errno);
  } while (out.interactive() && !once && !json);
  return 0;
}

}  // namespace holdall::cli
