#include "app/procfile.h"

#include <doctest/doctest.h>

#include "app/app.h"
#include "app/load.h"
#include "base/error.h"

using namespace holdall;
using namespace holdall::app;

namespace {

Loaded load_procfile(const std::string& text, bool release = true,
                     const std::map<std::string, std::string>& files = {}) {
  LoadOptions options{.working_dir = "/shop", .release = release};
  return load_from(options, [&](const std::filesystem::path& path) -> std::optional<std::string> {
    if (path == "/shop/Procfile") return text;
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  });
}

std::string fault(const std::string& text) {
  try {
    load_procfile(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("each line of a Procfile is a service, and web is routed") {
  const App app =
      load_procfile("# the shop\nweb: gunicorn app:app -b 0.0.0.0:$PORT\nworker: ./work & wait\n\n").app;
  CHECK(app.name == "shop");
  REQUIRE(app.services.size() == 2);
  const Service &web = app.services.at("web"), &worker = app.services.at("worker");
  CHECK(web.command == std::vector<std::string>{"/bin/sh", "-c", "gunicorn app:app -b 0.0.0.0:$PORT"});
  CHECK(web.routes == std::vector<RouteRule>{{"shop.localhost", "/", false}});
  CHECK(web.has_port());
  CHECK(web.context == "/shop");
  CHECK(web.restart.policy == Restart::always);
  CHECK(worker.command == std::vector<std::string>{"/bin/sh", "-c", "./work & wait"});
  CHECK_FALSE(worker.has_port());
}

TEST_CASE("the line release is web's release command") {
  const App app = load_procfile("release: ./migrate $DB\nworker: ./work\nweb: ./web\n").app;
  CHECK(app.services.size() == 2);
  REQUIRE(app.services.at("web").release_commands.size() == 1);
  CHECK(app.services.at("web").release_commands[0].command ==
        std::vector<std::string>{"/bin/sh", "-c", "./migrate $DB"});
  CHECK(app.services.at("worker").release_commands.empty());
}

TEST_CASE("in development a Procfile's services see .env, in a release they do not") {
  const std::map<std::string, std::string> files{{"/shop/.env", "MOOD=grey\n"}};
  CHECK(load_procfile("web: ./web\n", false, files).app.services.at("web").environment.at("MOOD") == "grey");
  CHECK(load_procfile("web: ./web\n", true, files).app.services.at("web").environment.empty());
}

TEST_CASE("a compose file wins over a Procfile beside it") {
  const std::map<std::string, std::string> files{
      {"/shop/compose.yaml", "services: {api: {image: x, command: ./api}}\n"}};
  CHECK(load_procfile("web: ./web\n", true, files).app.services.contains("api"));
}

TEST_CASE("what is no line of a Procfile is told with its place") {
  CHECK(fault("web ./web\n").find("Procfile:1:1: is no line of a Procfile") != std::string::npos);
  CHECK(fault("web: ./web\n\nworker:\n").find("Procfile:3:1: worker has no command") != std::string::npos);
  CHECK(fault("web: a\nweb: b\n").find("Procfile:2:1: web is written twice") != std::string::npos);
  CHECK(fault("# nothing\n").find("names no process") != std::string::npos);
}
