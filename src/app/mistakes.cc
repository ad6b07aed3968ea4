#include "app/mistakes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/edit_distance.h"
#include "base/secret_name.h"

namespace holdall::app {
namespace {

struct Database {
  std::string_view image;  ///< the last part of its name
  std::int64_t port;
  bool keeps;  ///< data that must outlive its container
};

constexpr std::array kDatabases{
    Database{"postgres", 5432, true},
    Database{"postgresql", 5432, true},
    Database{"postgis", 5432, true},
    Database{"pgvector", 5432, true},
    Database{"timescaledb", 5432, true},
    Database{"timescaledb-ha", 5432, true},
    Database{"mysql", 3306, true},
    Database{"mysql-server", 3306, true},
    Database{"mariadb", 3306, true},
    Database{"percona", 3306, true},
    Database{"mongo", 27017, true},
    Database{"mongodb", 27017, true},
    Database{"redis", 6379, false},
    Database{"redis-stack", 6379, false},
    Database{"redis-stack-server", 6379, false},
    Database{"valkey", 6379, false},
    Database{"keydb", 6379, false},
    Database{"dragonfly", 6379, false},
    Database{"memcached", 11211, false},
    Database{"rabbitmq", 5672, false},
    Database{"elasticsearch", 9200, true},
    Database{"opensearch", 9200, true},
    Database{"cassandra", 9042, true},
    Database{"scylla", 9042, true},
    Database{"couchdb", 5984, true},
    Database{"influxdb", 8086, true},
    Database{"clickhouse-server", 9000, true},
    Database{"clickhouse", 9000, true},
    Database{"neo4j", 7687, true},
    Database{"cockroach", 26257, true},
    Database{"etcd", 2379, false},
};

constexpr std::array<std::string_view, 4> kRestarts{"no", "always", "on-failure", "unless-stopped"};

/// "registry:5000/team/postgres:16@sha256:..." -> postgres and 16
struct ImageName {
  std::string_view name, tag;
  bool has_digest = false;
};

ImageName parse_image(std::string_view image) {
  ImageName parsed;
  if (const std::size_t digest = image.find('@'); digest != std::string_view::npos) {
    parsed.has_digest = true;
    image = image.substr(0, digest);
  }
  const std::size_t slash = image.rfind('/');
  if (slash != std::string_view::npos) image.remove_prefix(slash + 1);
  const std::size_t colon = image.find(':');
  parsed.name = image.substr(0, colon);
  if (colon != std::string_view::npos) parsed.tag = image.substr(colon + 1);
  return parsed;
}

const Database* database_of(const Json& service) {
  if (service.find("build")) return nullptr;
  const std::string image = service.string_or("image", "");
  const std::string_view name = parse_image(image).name;
  auto found = std::ranges::find(kDatabases, name, &Database::image);
  return found == kDatabases.end() ? nullptr : &*found;
}

std::span<const Json> items(const Json* list) {
  return list && list->is_array() ? std::span<const Json>(list->items()) : std::span<const Json>();
}

/// Where several services make one mistake.
using Paths = std::vector<std::string>;

class Search {
 public:
  Search(const Json& model, const VariableUse& use, const std::function<Where(const std::string&)>& place)
      : use_(use), place_(place) {
    const Json* services = model.find("services");
    if (!services || !services->is_object()) return;
    services_ = services;
    for (const auto& [name, service] : services->members()) {
      if (!service.is_object()) continue;
      path_ = "services." + name;
      variables(service);
      words(service);
      restart(service);
      image(service);
      dependencies(service);
      if (const Database* database = database_of(service)) {
        open_port(service, *database);
        if (database->keeps) data(service);
      }
    }
    gathered();
  }

  std::vector<Mistake> found;

 private:
  void note(Occasion occasion, const std::string& path, std::string_view what, std::string hint) {
    found.push_back({{place_(path), fmt::format("{} {}", path, what), std::move(hint)}, occasion});
  }

  /// One mistake of many places: the line is at the first, and names the others.
  void note(Occasion occasion, const Paths& paths, std::string_view what, std::string hint) {
    constexpr std::size_t kNamed = 8;
    if (paths.empty()) return;
    std::string all(what);
    for (std::size_t i = 1; i < std::min(paths.size(), kNamed + 1); ++i)
      all += fmt::format("{}{} ({})", i == 1 ? "; so do: " : ", ", paths[i], text(place_(paths[i])));
    if (paths.size() > kNamed + 1) all += fmt::format(" and {} more", paths.size() - kNamed - 1);
    note(occasion, paths.front(), all, std::move(hint));
  }

  /// Values as no shell would have them, and secrets that everybody can read who reads the file.
  void variables(const Json& service) {
    const Json* environment = service.find("environment");
    if (!environment || !environment->is_object()) return;
    for (const auto& [name, value] : environment->members()) {
      if (!value.is_string()) continue;
      const std::string path = fmt::format("{}.environment.{}", path_, name);
      const std::string& text = value.string();
      if (text.size() > 1 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
        quoted_.push_back(path);
      // Options, which are often written so, take a space as well.
      const std::size_t first = text.find_first_not_of(' ');
      if (first != 0 && first != std::string::npos && text[first] != '-') spaced_.push_back(path);
      const bool clear = !text.empty() && !use_.templates.contains(path) && !is_plain_word(text);
      if (clear && names_a_secret(name)) secrets_.push_back(path);
    }
  }

  /// A switch, a number, a path, or what is filled in elsewhere: no secret, whatever its name.
  static bool is_plain_word(std::string_view text) {
    const bool number = text.find_first_not_of("0123456789.") == std::string_view::npos;
    return text == "true" || text == "false" || text == "yes" || text == "no" || text == "none" ||
           text == "null" || (number && text.size() < 4) || text.starts_with('/') ||
           text.find('$') != std::string_view::npos;
  }

  /// A list of one text with blanks names a program with blanks in its name.
  void words(const Json& service) {
    const Json* check = service.find("healthcheck");
    const std::span<const Json> test = items(check ? check->find("test") : nullptr);
    if (test.size() == 2 && test[0] == Json("CMD") && has_space(test[1])) {
      note(Occasion::always, path_ + ".healthcheck.test",
           "names one program with spaces in its name: CMD takes each argument as an item of its own",
           "write CMD-SHELL in the place of CMD, or split the text into items");
    }
    const std::span<const Json> entrypoint = items(service.find("entrypoint"));
    const std::span<const Json> command = items(service.find("command"));
    for (auto [key, list] : {std::pair("entrypoint", entrypoint), std::pair("command", command)}) {
      if (list.size() != 1 || !has_space(list[0])) continue;
      if (std::string_view(key) == "command" && !entrypoint.empty()) continue;    // `sh -c` takes one
      if (std::string_view(key) == "command" && service.find("image")) continue;  // as may the image's own
      note(Occasion::always, fmt::format("{}.{}", path_, key),
           "names one program with spaces in its name: in a list each argument is an item of its own",
           "split it into items, or write it as a string without brackets");
    }
  }

  static bool has_space(const Json& text) {
    return text.is_string() && text.string().find(' ') != std::string::npos &&
           !text.string().starts_with('/');
  }

  /// Docker Compose takes any word, and Docker refuses it when the container is made.
  void restart(const Json& service) {
    const Json* written = service.find("restart");
    if (!written || !written->is_string() || written->string().empty()) return;
    const std::string& text = written->string();
    const std::string word = text.substr(0, text.find(':'));
    if (std::ranges::count(kRestarts, text)) return;
    if (word == "on-failure" && text.find_first_not_of("0123456789", word.size() + 1) == std::string::npos)
      return;
    auto near = std::ranges::min_element(kRestarts, {},
                                         [&](std::string_view each) { return edit_distance(each, word); });
    const bool is_near = word.size() < 40 && edit_distance(*near, word) <= 2 + near->size() / 4;
    note(Occasion::always, path_ + ".restart", fmt::format("'{}' is no restart policy", text),
         is_near ? fmt::format("did you mean '{}'?", *near)
                 : "it is no, always, on-failure, on-failure:N or unless-stopped");
  }

  void image(const Json& service) {
    if (service.find("build")) return;
    const std::string image = service.string_or("image", "");
    const ImageName parsed = parse_image(image);
    if (image.empty() || parsed.has_digest) return;
    if (parsed.tag.empty() || parsed.tag == "latest") untagged_.push_back(path_ + ".image");
  }

  void dependencies(const Json& service) {
    const Json* all = service.find("depends_on");
    if (!all || !all->is_object()) return;
    for (const auto& [name, dependency] : all->members()) {
      const Json* other = services_->find(name);
      if (!other || !other->is_object() || dependency.string_or("condition", "") != "service_started")
        continue;
      const Json* check = other->find("healthcheck");
      if (check && !check->boolean_or("disable", false) && database_of(*other))
        hasty_.push_back(fmt::format("{}.depends_on.{}", path_, name));
    }
  }

  void open_port(const Json& service, const Database& database) {
    const std::span<const Json> ports = items(service.find("ports"));
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const std::string published = ports[i].string_or("published", "");
      const std::string host = ports[i].string_or("host_ip", "");
      const bool everywhere = host.empty() || host == "0.0.0.0" || host == "::";
      if (published.empty() || !everywhere || ports[i].integer_or("target", 0) != database.port) continue;
      note(Occasion::release, fmt::format("{}.ports.{}", path_, i),
           fmt::format("publishes {}'s port {} on every address of the server", database.image, published),
           fmt::format("services reach each other without 'ports': remove it, or write 127.0.0.1:{}:{}",
                       published, database.port));
    }
  }

  void data(const Json& service) {
    if (!items(service.find("tmpfs")).empty()) return;
    for (const Json& volume : items(service.find("volumes"))) {
      const std::string target = volume.string_or("target", "");
      const bool written = !volume.boolean_or("read_only", false) && !target.starts_with("/etc") &&
                           !target.starts_with("/docker-entrypoint-initdb.d") && !target.starts_with("/tmp");
      if (written) return;
    }
    note(Occasion::release, path_ + ".image", "keeps its data in no volume: it is gone with its container",
         "write 'volumes: [data:/...]' with the directory its image documents, and 'volumes: {data: {}}' at "
         "the top level");
  }

  void gathered() {
    note(Occasion::always, quoted_, "has quotes in its value: in a list, those after '=' are part of it",
         "put the whole item in quotes, or nothing of it");
    note(Occasion::always, spaced_, "begins with a space", "write NAME=value, without spaces round '='");
    note(Occasion::release, secrets_, "holds a secret that everybody reads who reads the file",
         "seal it (holdall secrets seal NAME) and write ${NAME} here");
    note(Occasion::check, untagged_, "has no version, so that each pull may bring another",
         "write a tag, or a digest");
    note(Occasion::check, hasty_, "waits until it is started, and its healthcheck would say when it is ready",
         "write 'condition: service_healthy'");
  }

  const VariableUse& use_;
  const std::function<Where(const std::string&)>& place_;
  const Json* services_ = nullptr;
  std::string path_;
  Paths quoted_, spaced_, secrets_, untagged_, hasty_;
};

}  // namespace

std::vector<Mistake> mistakes(const Json& model, const VariableUse& use,
                              const std::function<Where(const std::string&)>& place) {
  return Search(model, use, place).found;
}

}  // namespace holdall::app
