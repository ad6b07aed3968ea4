#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

void print(const std::map<std::string, Setting>& settings, const std::filesystem::path& run, bool json) {
  Json object = Json::object();
  Table table({"SETTING", "VALUE", "FROM"});
  for (const auto& [name, setting] : settings) {
    object[name] = Json::object({{"value", setting.value}, {"from", setting.origin}});
    table.row({name, setting.value, setting.origin});
  }
  object["run"] = Json::object({{"value", run.string()}, {"from", "the directory of HOLDALL_API"}});
  table.row({"run directory", run.string(), "the directory of HOLDALL_API"});
  std::fputs((json ? object.pretty() : table.text()).c_str(), stdout);
}

/// Users that are nobody else's: 1 to 2^32 - 3, first before last.
std::pair<std::uint32_t, std::uint32_t> parse_uids(const Setting& setting) {
  std::pair<std::uint32_t, std::uint32_t> range;
  const char *begin = setting.value.data(), *end = begin + setting.value.size();
  auto first = std::from_chars(begin, end, range.first);
  bool good = first.ec == std::errc() && first.ptr != end && *first.ptr == '-';
  if (good) {
    auto last = std::from_chars(first.ptr + 1, end, range.second);
    constexpr std::uint32_t kMost = 0xfffffffd;  // the two above mean "nobody" and "no change" to the kernel
    good = last.ec == std::errc() && last.ptr == end && range.first > 0 && range.first <= range.second &&
           range.second <= kMost;
  }
  if (good) return range;
  throw Error(Error::invalid, fmt::format("{}: '{}' is no range of users; write FIRST-LAST, as 200000-265535",
                                          setting.origin, setting.value));
}

/// The API's listener for tokens, if there is to be one.
void choose_tls(std::map<std::string, Setting>& all, ServeSettings& chosen) {
  const Setting &address = all["HOLDALL_API_TLS"], &cert = all["HOLDALL_API_TLS_CERT"],
                &key = all["HOLDALL_API_TLS_KEY"];
  if (cert.value.empty() != key.value.empty()) {
    throw Error(Error::invalid,
                "HOLDALL_API_TLS_CERT and HOLDALL_API_TLS_KEY go together: a certificate and its key");
  }
  if (address.value.empty()) return;
  try {
    chosen.api_tls = net::parse_address(address.value);
  } catch (const Error& error) {
    throw error.during(address.origin);
  }
  if (chosen.api_tls->is_unix())
    throw Error(Error::invalid, address.origin + ": an address with a port is needed");
  if (!cert.value.empty()) chosen.api_tls_cert = std::filesystem::absolute(cert.value);
  if (!key.value.empty()) chosen.api_tls_key = std::filesystem::absolute(key.value);
}

}  // namespace

std::optional<ServeSettings> serve_settings(Invocation& call) {
  std::optional<std::string> api_tls, api_tls_cert, api_tls_key;
  std::optional<std::string> state, http, api, keys, engine, uids, for_upgrade;
  bool print_config = false, json = false, is_private = false, shared_uid = false;
  Options options(call, "  holdall serve --http :8080\n  holdall serve --print-config");
  options.value("--state", state, "DIR", "where releases, artefacts and logs are kept (HOLDALL_STATE)");
  options.value("--http", http, "ADDRESS", "where the router listens (HOLDALL_HTTP)");
  options.value("--api", api, "PATH", "the API's socket; its directory is the run directory (HOLDALL_API)");
  options.value("--keys", keys, "DIR", "private keys of sealed secrets, a directory an app (HOLDALL_KEYS)");
  options.value("--engine", engine, "NAME", "what runs instances: process (HOLDALL_ENGINE)");
  options.value("--uids", uids, "FIRST-LAST", "as root: the users that services are given (HOLDALL_UIDS)");
  options.value("--api-tls", api_tls, "ADDRESS",
                "where the API takes tokens, through TLS; off if left out (HOLDALL_API_TLS)");
  options.value("--api-tls-cert", api_tls_cert, "FILE",
                "its certificate, PEM; one of its own if left out (HOLDALL_API_TLS_CERT)");
  options.value("--api-tls-key", api_tls_key, "FILE",
                "the certificate's private key, PEM (HOLDALL_API_TLS_KEY)");
  options.flag("--shared-uid", shared_uid,
               "run every service as this user, and let them have secrets that the others could read");
  options.flag("--print-config", print_config, "print each setting and where it comes from, then exit");
  options.flag("--json", json, "print it as a JSON object");
  options.flag("--private", is_private, "end with the last session: what `up` starts");
  options.value("--for-upgrade", for_upgrade, "LIMITS",
                "print what would be started: what a running serve asks a new binary");
  if (!options.parse()) return std::nullopt;

  std::map<std::string, std::string> flags;
  if (state) flags["HOLDALL_STATE"] = *state;
  if (http) flags["HOLDALL_HTTP"] = *http;
  if (api) flags["HOLDALL_API"] = *api;
  if (keys) flags["HOLDALL_KEYS"] = *keys;
  if (engine) flags["HOLDALL_ENGINE"] = *engine;
  if (uids) flags["HOLDALL_UIDS"] = *uids;
  if (api_tls) flags["HOLDALL_API_TLS"] = *api_tls;
  if (api_tls_cert) flags["HOLDALL_API_TLS_CERT"] = *api_tls_cert;
  if (api_tls_key) flags["HOLDALL_API_TLS_KEY"] = *api_tls_key;
  auto all = settings(std::move(flags));

  ServeSettings chosen;
  chosen.state = std::filesystem::absolute(all["HOLDALL_STATE"].value);
  chosen.api = socket_at(all["HOLDALL_API"].value);
  chosen.run = std::filesystem::path(chosen.api.path).parent_path();
  chosen.keys = std::filesystem::absolute(all["HOLDALL_KEYS"].value);
  chosen.engine = all["HOLDALL_ENGINE"].value;
  chosen.is_private = is_private;
  chosen.shared_uid = shared_uid;
  chosen.for_upgrade = for_upgrade;
  if (geteuid() == 0 && !shared_uid) chosen.uids = parse_uids(all["HOLDALL_UIDS"]);
  try {
    chosen.http = net::parse_address(all["HOLDALL_HTTP"].value);
  } catch (const Error& error) {
    throw error.during(all["HOLDALL_HTTP"].origin);
  }
  if (!is_private) choose_tls(all, chosen);
  if (chosen.engine != "process") {
    throw Error(Error::invalid, fmt::format("{}: engine '{}' is not in this version; there is: process",
                                            all["HOLDALL_ENGINE"].origin, chosen.engine));
  }
  if (print_config) {
    print(all, chosen.run, json);
    return std::nullopt;
  }
  return chosen;
}

}  // namespace holdall::cli
