#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include "app/load.h"
#include "base/fake.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::app;
namespace fs = std::filesystem;

namespace {

/// One case's files in memory, under the directory that the expectations name.
struct World {
  std::map<fs::path, std::string> files;

  explicit World(const Json& test) {
    for (const auto& [name, text] : test.at("files").members()) files[root(test) / name] = text.string();
  }
  static fs::path root(const Json& test) { return fs::path("/rules") / test.at("name").string(); }

  ReadFile reader() const {
    return [this](const fs::path& path) -> std::optional<std::string> {
      auto found = files.find(path);
      return found == files.end() ? std::nullopt : std::optional(found->second);
    };
  }
};

LoadOptions options_of(const Json& test) {
  LoadOptions options;
  options.specification_alone = true;
  options.working_dir = (World::root(test) / test.at("cwd").string()).lexically_normal();
  options.environment = {{"HOME", "/home/user"}, {"PATH", "/usr/bin:/bin"}};
  for (const auto& [name, value] : test.at("env").members()) options.environment[name] = value.string();
  const Json::Array& args = test.at("args").items();
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    const std::string &flag = args[i].string(), &value = args[i + 1].string();
    if (flag == "-f") options.files.emplace_back(value);
    if (flag == "-p") options.project_name = value;
    if (flag == "--profile") options.profiles.push_back(value);
    if (flag == "--env-file") options.env_files.emplace_back(value);
    if (flag == "--project-directory") options.project_dir = value;
  }
  return options;
}

}  // namespace

TEST_CASE("small cases give what Docker Compose prints, or are refused where it refuses them") {
  Json cases = Json::parse(read_file(in_checkout("tests/compose/cases.json")));
  for (const Json& test : cases.items()) {
    const std::string& name = test.at("name").string();
    INFO(name);
    try {
      Loaded loaded = read_from(options_of(test), World(test).reader());
      CHECK_MESSAGE(test.at("ok").boolean(), name << " is accepted, and the reference rejects it");
      if (test.at("ok").boolean()) {
        const Json printed = Json::parse(to_json_text(loaded.model));
        CHECK_MESSAGE(printed == test.at("project"), name << "\n" << printed.pretty());
        CHECK_MESSAGE(to_yaml(loaded.model).starts_with("name: "), name);
      }
    } catch (const Error& error) {
      CHECK_MESSAGE(!test.at("ok").boolean(), name << ": " << error.what());
    }
  }
}
