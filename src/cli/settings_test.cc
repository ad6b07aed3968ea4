#include "cli/settings.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::cli;

TEST_CASE("a flag stands over the environment, that over the file, that over the default") {
  SettingSources sources{.flags = {{"HOLDALL_HTTP", ":1"}},
                         .environment = {{"HOLDALL_HTTP", ":2"}, {"HOLDALL_STATE", "/two"}},
                         .file = {{"HOLDALL_HTTP", {":3", "conf:1"}},
                                  {"HOLDALL_STATE", {"/three", "conf:2"}},
                                  {"HOLDALL_API", {"/run/three.sock", "conf:3"}}},
                         .root = true};
  auto settings = resolve(sources);
  CHECK(settings["HOLDALL_HTTP"] == Setting{":1", "--http"});
  CHECK(settings["HOLDALL_STATE"] == Setting{"/two", "HOLDALL_STATE"});
  CHECK(settings["HOLDALL_API"] == Setting{"/run/three.sock", "conf:3"});
  CHECK(settings["HOLDALL_ENGINE"] == Setting{"process", "default"});
}

TEST_CASE("root's places are the system's, anybody else's are under their own directories") {
  auto root = resolve({.root = true});
  CHECK(root["HOLDALL_STATE"].value == "/var/lib/holdall");
  CHECK(root["HOLDALL_API"].value == "/run/holdall/api.sock");
  CHECK(root["HOLDALL_HTTP"].value == ":80");
  CHECK(root["HOLDALL_KEYS"].value == "/etc/holdall/keys");
  auto user = resolve({.environment = {{"HOME", "/home/ada"}, {"XDG_RUNTIME_DIR", "/run/user/7"}}});
  CHECK(user["HOLDALL_STATE"].value == "/home/ada/.local/state/holdall");
  CHECK(user["HOLDALL_API"].value == "/run/user/7/holdall/api.sock");
  CHECK(user["HOLDALL_HTTP"].value == "127.0.0.1:8080");
  CHECK(user["HOLDALL_KEYS"].value == "/home/ada/.config/holdall/keys");
}

TEST_CASE(
    "a command of who runs no server of their own finds the one that root runs, unless a setting names one") {
  const std::string roots = "/run/holdall/api.sock", own = "/home/ada/api.sock";
  const auto only = [](const std::string& socket) {
    return [socket](const std::string& path) { return path == socket; };
  };
  CHECK(choose_api({own, "default"}, only(roots)) == roots);
  CHECK(choose_api({own, "default"}, only(own)) == own);
  CHECK(choose_api({own, "default"}, only("")) == own);
  CHECK(choose_api({own, "HOLDALL_API"}, only(roots)) == own);
}

TEST_CASE("a session without a runtime directory keeps its sockets with its state") {
  auto user = resolve({.environment = {{"HOME", "/home/ada"}, {"XDG_STATE_HOME", "/data"}}});
  CHECK(user["HOLDALL_API"].value == "/data/holdall/run/api.sock");
}

TEST_CASE(
    "the file is KEY=VALUE lines; each value knows its line, and what is unknown is refused with its place") {
  std::string path = "/tmp/holdall-settings-XXXXXX";
  Fd file(mkstemp(path.data()));
  write_all(file.get(), "# comment\n\n HOLDALL_HTTP = :8000 \n");
  auto settings = read_settings_file(path);
  CHECK(settings.at("HOLDALL_HTTP") == Setting{":8000", path + ":3"});
  write_all(file.get(), "HOLDALL_HTPP=:1\nnonsense\n");
  CHECK_THROWS_WITH_AS(read_settings_file(path), doctest::Contains(":4: unknown setting 'HOLDALL_HTPP'"),
                       Error);
  CHECK_THROWS_WITH_AS(read_settings_file(path), doctest::Contains(":5: 'nonsense' is no KEY=VALUE"), Error);
  unlink(path.c_str());
  CHECK(read_settings_file(path).empty());
}

TEST_CASE("a socket is an absolute path that the kernel takes, with or without unix://") {
  CHECK(socket_at("unix:///run/x.sock").path == "/run/x.sock");
  CHECK(socket_at("/run/x.sock").path == "/run/x.sock");
  CHECK_THROWS_AS(socket_at("tcp://1.2.3.4"), Error);
  CHECK_THROWS_AS(socket_at("/" + std::string(100, 'x')), Error);
}
