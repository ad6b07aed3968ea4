#include "release/secrets.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/seal.h"
#include "release/plan.h"
#include "release/rows.h"

namespace holdall::release {
namespace {

// How problems name it: it is the only one that a release has.
constexpr const char* kFile = "secrets.sealed";

// What the engine can hand to one instance, less what names and lengths take.
constexpr std::size_t kMostBytes = 900'000;

/// Where the service names the secret, as a person reads it; else the service.
std::string place_of(const Request& request, const app::Service& service, const std::string& name) {
  std::string root = "services." + service.name;
  std::vector<std::string> paths;
  for (const auto& [variable, text] : service.secret_environment) {
    if (text.find("${" + name + "}") != std::string::npos) paths.push_back(root + ".environment." + variable);
  }
  paths.push_back(root + ".secrets");
  for (const std::string& path : paths) {
    const auto place = request.places.find(path);
    if (place != request.places.end()) return place->second + ": " + root;
  }
  return root;
}

bool in_variable(const app::Service& service, const std::string& name) {
  for (const auto& [variable, text] : service.secret_environment) {
    if (text.find("${" + name + "}") != std::string::npos) return true;
  }
  return false;
}

void check_values(const Request& request, const app::App& app, const OpenedSecrets& opened,
                  std::vector<Problem>& problems) {
  for (const auto& [service_name, service] : app.services) {
    std::size_t bytes = 0;
    for (const std::string& name : service.secret_names()) {
      const auto value = opened.find(name);
      if (value == opened.end()) continue;
      bytes += value->second.size();
      if (in_variable(service, name) && value->second.view().find('\0') != std::string_view::npos) {
        problems.push_back({{},
                            fmt::format("{}: {} holds a NUL byte, which no variable can",
                                        place_of(request, service, name), name),
                            "give it as a file: secrets"});
      }
    }
    if (bytes > kMostBytes) {
      problems.push_back({{},
                          fmt::format("services.{}: its secrets have {} bytes together, more than {}",
                                      service_name, bytes, kMostBytes),
                          ""});
    }
  }
}

}  // namespace

OpenedSecrets open_sealed(const Request& request, const std::string& app, const std::filesystem::path& keys) {
  if (request.sealed.empty()) return {};
  const std::vector<PrivateKey> private_keys = KeyDirectory(keys).keys({app});
  return SealedFile::parse(request.sealed, kFile).open({app}, private_keys);
}

OpenedSecrets check_secrets(const Request& request, const app::App& app, const ReleasesOptions& options) {
  std::vector<Problem> problems;
  std::set<std::string> sealed;
  if (!request.sealed.empty()) {
    for (std::string& name : SealedFile::parse(request.sealed, kFile).names()) sealed.insert(std::move(name));
  }
  bool any = false;
  for (const auto& [service_name, service] : app.services) {
    for (const std::string& name : service.secret_names()) {
      any = true;
      if (sealed.contains(name)) continue;
      problems.push_back({{},
                          fmt::format("{}: {} is not sealed", place_of(request, service, name), name),
                          fmt::format("holdall secrets seal {}", name)});
    }
  }
  if (any && !options.secrets) {
    throw Error(
        Error::denied,
        fmt::format("{} has secrets, and here all services run as one user, each of whose processes can "
                    "read the others'; run serve as root, or accept that with --shared-uid",
                    app.name));
  }
  std::string said;
  for (const Problem& problem : problems) said += text(problem) + "\n";
  OpenedSecrets opened;
  try {
    opened = open_sealed(request, app.name, options.keys);
  } catch (const Error& error) {
    throw Error(problems.empty() ? error.kind() : Error::invalid, said + error.what());
  }
  check_values(request, app, opened, problems);
  throw_if_any(problems);
  return opened;
}

std::set<std::string> changed_secrets(const OpenedSecrets& before, const OpenedSecrets& after) {
  std::set<std::string> changed;
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end() || !(old->second == value)) changed.insert(name);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) changed.insert(name);
  }
  return changed;
}

void add_needed_keys(store::Transaction& t, const Row& row, std::vector<PublicKey>& keys) {
  auto add = [&](const Request& request) {
    for (const Recipient& one : SealedFile::parse(request.sealed, kFile).recipients())
      keys.push_back(one.key);
  };
  add(row.request);
  for (const auto& [service, group] : row.groups) {
    const int number = release_of(group);
    if (number == row.release.number) continue;
    if (const std::optional<Row> started = find_row(t, row.release.app, number)) add(started->request);
  }
}

namespace {

class SecretSource final : public engine::SecretSource {
 public:
  SecretSource(store::Database& database, std::filesystem::path keys)
      : database_(database), keys_(std::move(keys)) {}

  std::map<std::string, Secret> open(const GroupId& group, const std::set<std::string>& names) override {
    const std::string app = group.value.substr(0, group.value.find('/'));
    const int number = release_of(group);
    std::optional<Row> row;
    database_.read([&](store::Transaction& t) { row = find_row(t, app, number); });
    if (!row) throw Error(Error::missing, fmt::format("{} {} has no row", app, version(number)));
    std::map<std::string, Secret> wanted;
    for (auto& [name, value] : open_sealed(row->request, app, keys_)) {
      if (names.contains(name)) wanted.emplace(name, std::move(value));
    }
    return wanted;
  }

 private:
  store::Database& database_;
  const std::filesystem::path keys_;
};

}  // namespace

std::unique_ptr<engine::SecretSource> make_secret_source(store::Database& database,
                                                         std::filesystem::path keys) {
  return std::make_unique<SecretSource>(database, std::move(keys));
}

}  // namespace holdall::release
