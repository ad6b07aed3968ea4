#include "cli/travels.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/fake.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::cli;
namespace fs = std::filesystem;

namespace {

const Ignores kNothing = [](const fs::path&) { return false; };

}  // namespace

TEST_CASE("a mount over the build context is left out of a release: it is for development") {
  TemporaryDirectory project;
  CHECK(travel_of(project.path, project.path, kNothing) == Travel::left_out);
  CHECK(travel_of(project.path, project.path / "web", kNothing) == Travel::left_out);
  CHECK(travel_of(project.path / "web/", project.path / "web", kNothing) == Travel::left_out);
}

TEST_CASE(
    "a mount that is there and in the repository travels; one that is absent or ignored is kept on the "
    "server") {
  TemporaryDirectory project;
  fs::create_directory(project.path / "config");
  const fs::path context = project.path / "web";
  CHECK(travel_of(project.path / "config", context, kNothing) == Travel::read_only);
  CHECK(travel_of(project.path / "config", context, [](const fs::path&) { return true; }) ==
        Travel::directory);
  CHECK(travel_of(project.path / "data", context, kNothing) == Travel::directory);
  CHECK(travel_of(project.path / "config", "", kNothing) == Travel::read_only);
}

TEST_CASE("all that a release brings is named in the project's words, each with its place") {
  TemporaryDirectory directory;
  const std::string root = directory.path;
  fs::create_directory(directory.path / "web");
  write_file_atomic(directory.path / "web/app.py", "1234");
  app::Loaded project;
  project.project_dir = directory.path;
  auto volume = [](const char* type, const std::string& source, const char* target) {
    return Json::object({{"type", type}, {"source", source}, {"target", target}});
  };
  auto model = [&](const std::string& base) {
    return Json::object(
        {{"services",
          Json::object(
              {{"web", Json::object({{"build", Json::object({{"context", root + "/web"}})},
                                     {"volumes", Json::array({volume("bind", base + "/web", "/app"),
                                                              volume("bind", base + "/data", "/data"),
                                                              volume("bind", "/etc/x", "/x"),
                                                              volume("volume", "cache", "/cache")})}})}})}});
  };
  project.model = model(root);
  project.places["services.web.volumes.1"] = {"compose.yaml", 7, 9};
  project.env_files = {{directory.path / "web.env", {"compose.yaml", 3, 1}},
                       {directory.path / "own.env", {"compose.yaml", 4, 1}}};
  auto all =
      travelling(project, model("."), [](const fs::path& file) { return file.filename() == "own.env"; });
  REQUIRE(all.size() == 7);
  CHECK(all[0].how == Travel::artefact);
  CHECK(all[0].what == "web");
  CHECK(all[0].files == 1);
  CHECK(all[0].bytes == 4);
  CHECK(all[1].how == Travel::left_out);
  CHECK(all[1].what == "./web:/app");
  CHECK(all[2].how == Travel::directory);
  CHECK(text(all[2].where) == "compose.yaml:7:9");
  CHECK(all[3].how == Travel::server);
  CHECK(all[4].how == Travel::volume);
  CHECK(all[4].what == "cache:/cache");
  CHECK(all[5].how == Travel::env_file);
  CHECK(all[6].how == Travel::ignored);
}
