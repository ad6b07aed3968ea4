#include "app/keys.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/fake.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::app;

namespace {

std::string table() {
  std::string out = "| key | | |\n|---|---|---|\n";
  for (const Key& key : keys()) {
    std::string_view support = key.support == Support::honoured    ? "honoured"
                               : key.support == Support::different ? "different"
                                                                   : "refused";
    std::string_view stop = key.remedy.empty() ? "" : ". Remedy: ";
    out += fmt::format("| `{}` | {} | {}{}{} |\n", key.path, support, key.note, stop, key.remedy);
  }
  return out;
}

}  // namespace

// HOLDALL_ACCEPT=1 writes the table anew.
TEST_CASE("docs/compose.md says of every key what the table of keys says") {
  auto path = in_checkout("docs/compose.md");
  std::string page = read_file(path);
  std::size_t begin = page.find("| key | | |\n");
  if (std::getenv("HOLDALL_ACCEPT")) write_file_atomic(path, page.substr(0, begin) + table());
  REQUIRE(begin != std::string::npos);
  CHECK(page.substr(begin) == table());
}

TEST_CASE(
    "every row says what its support owes: a difference its note, a refusal its reason and its remedy") {
  std::set<std::string_view> seen;
  for (const Key& key : keys()) {
    INFO(std::string(key.path));
    CHECK(seen.insert(key.path).second);
    CHECK(key.note.empty() == (key.support == Support::honoured));
    CHECK(key.remedy.empty() == (key.support != Support::refused));
  }
}

TEST_CASE("every key of the specification for services has a row") {
  for (std::string_view key : {"annotations",
                               "attach",
                               "blkio_config",
                               "build",
                               "cap_add",
                               "cap_drop",
                               "cgroup",
                               "cgroup_parent",
                               "command",
                               "configs",
                               "container_name",
                               "cpu_count",
                               "cpu_percent",
                               "cpu_period",
                               "cpu_quota",
                               "cpu_rt_period",
                               "cpu_rt_runtime",
                               "cpu_shares",
                               "cpus",
                               "cpuset",
                               "credential_spec",
                               "depends_on",
                               "deploy",
                               "develop",
                               "device_cgroup_rules",
                               "devices",
                               "dns",
                               "dns_opt",
                               "dns_search",
                               "domainname",
                               "entrypoint",
                               "env_file",
                               "environment",
                               "expose",
                               "extends",
                               "external_links",
                               "extra_hosts",
                               "gpus",
                               "group_add",
                               "healthcheck",
                               "hostname",
                               "image",
                               "init",
                               "ipc",
                               "isolation",
                               "label_file",
                               "labels",
                               "links",
                               "logging",
                               "mac_address",
                               "mem_limit",
                               "mem_reservation",
                               "mem_swappiness",
                               "memswap_limit",
                               "models",
                               "network_mode",
                               "networks",
                               "oom_kill_disable",
                               "oom_score_adj",
                               "pid",
                               "pids_limit",
                               "platform",
                               "ports",
                               "post_start",
                               "pre_stop",
                               "privileged",
                               "profiles",
                               "provider",
                               "pull_policy",
                               "pull_refresh_after",
                               "read_only",
                               "restart",
                               "runtime",
                               "scale",
                               "secrets",
                               "security_opt",
                               "shm_size",
                               "stdin_open",
                               "stop_grace_period",
                               "stop_signal",
                               "storage_opt",
                               "sysctls",
                               "tmpfs",
                               "tty",
                               "ulimits",
                               "use_api_socket",
                               "user",
                               "userns_mode",
                               "uts",
                               "volumes",
                               "volumes_from",
                               "working_dir"}) {
    CHECK_MESSAGE(find_key("services.*." + std::string(key)) != nullptr, key);
  }
}

TEST_CASE("a misspelt key is told the nearest, and a strange one nothing") {
  CHECK(nearest_key("services.*", "comand") == "command");
  CHECK(nearest_key("services.*.x-holdall", "drain_timout") == "drain_timeout");
  CHECK(nearest_key("services.*", "frobnicate").empty());
}
