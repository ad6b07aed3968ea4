#include "cli/ssh.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace holdall;
using namespace holdall::cli;

namespace {

using Words = std::vector<std::string>;

const app::Host kShop = app::parse_host("ssh://deploy@shop.example:2222");

bool holds(const Error& error, std::string_view part) {
  return std::string_view(error.what()).find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("ssh is given words, and the host after the last of its options") {
  CHECK(ssh_argv(kShop, true) == Words{"ssh", "-o", "ConnectTimeout=30", "-T", "-l", "deploy", "-p", "2222",
                                       "--", "shop.example", "holdall", "stdio"});
  CHECK(ssh_argv(app::parse_host("ssh://shop.example"), true) ==
        Words{"ssh", "-o", "ConnectTimeout=30", "-T", "--", "shop.example", "holdall", "stdio"});
}

TEST_CASE("where nobody can answer, ssh asks nothing") {
  Words argv = ssh_argv(kShop, false);
  CHECK(std::ranges::find(argv, "BatchMode=yes") != argv.end());
  argv = ssh_argv(kShop, true);
  CHECK(std::ranges::find(argv, "BatchMode=yes") == argv.end());
}

TEST_CASE("what ssh complains of is said with its remedy, and in its own words after that") {
  Error unknown = ssh_error(kShop, 255, "No ED25519 host key is known.\nHost key verification failed.");
  CHECK(unknown.kind() == Error::denied);
  CHECK(holds(unknown, "ssh://deploy@shop.example:2222: its host key is not known here"));
  CHECK(holds(unknown, "compare the key: ssh -p 2222 deploy@shop.example"));
  CHECK(holds(unknown, "ssh: No ED25519 host key is known.\n       Host key verification failed."));
  CHECK(
      holds(ssh_error(kShop, 255, "deploy@shop.example: Permission denied (publickey)."), "lets nobody in"));
  CHECK(ssh_error(kShop, 255, "ssh: Could not resolve hostname shop.example").kind() == Error::missing);
  CHECK(ssh_error(kShop, 255, "connect to host shop.example port 22: Connection timed out").kind() ==
        Error::busy);
  CHECK(holds(ssh_error(kShop, 255, "something new"), "ssh cannot connect"));
}

TEST_CASE("a server without holdall, and one on which none runs, are told apart") {
  CHECK(holds(ssh_error(kShop, 127, "bash: holdall: command not found"),
              "holdall setup -p 2222 deploy@shop.example"));
  CHECK(holds(ssh_error(kShop, 3, "error: connect to unix:///run/holdall/api.sock"), "no server runs there"));
  CHECK(holds(ssh_error(kShop, 6, "error: denied"), "ended with exit code 6"));
}
