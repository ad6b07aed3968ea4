#include "cli/cli.h"
#include "daemon.h"

// Every command of the binary. Those without a heading are executed by `serve` or by shells, never by people.
int main(int argc, char** argv) {
  using namespace holdall;
  static constexpr const char* kDevelop = "On this machine";
  static constexpr const char* kRelease = "Releases";
  static constexpr const char* kServer = "The server";
  static constexpr const char* kHelp = "Help";
  static constexpr cli::Command kCommands[] = {
      {"up", kDevelop, "run the app of this directory and follow its output", cli::up},
      {"down", kDevelop, "stop what `up` runs", cli::down},
      {"ps", kDevelop, "list instances", cli::ps},
      {"restart", kDevelop, "restart services; on a server without losing a request", cli::restart},
      {"stop", kDevelop, "stop services and keep them", cli::stop},
      {"start", kDevelop, "start stopped services", cli::start},
      {"kill", kDevelop, "send a signal to services", cli::kill},
      {"logs", kDevelop, "show what instances said", cli::logs},
      {"exec", kDevelop, "run a program in an instance", cli::exec},
      {"run", kDevelop, "run a program in a fresh copy of a service's instances", cli::run},
      {"top", kDevelop, "list the processes of each instance", cli::top},
      {"stats", kDevelop, "show what each instance uses", cli::stats},
      {"events", kDevelop, "tell what befalls instances and releases", cli::events},
      {"open", kDevelop, "open the app in a browser", cli::open_app},
      {"config", kDevelop, "check the Compose file and print the model", cli::config},
      {"check", kDevelop, "say what the engine makes of each key of the Compose file", cli::check},

      {"plan", kRelease, "show what a deploy would do", cli::plan},
      {"deploy", kRelease, "release this directory without losing a request", cli::deploy},
      {"releases", kRelease, "list releases, or show one with its report", cli::releases},
      {"rollback", kRelease, "go back to an earlier release", cli::rollback},
      {"env", kRelease, "list what services see, and set variables", cli::env},
      {"maintenance", kRelease, "answer requests with a page, or let them wait", cli::maintenance},
      {"scale", kRelease, "run another number of a service's instances", cli::scale},
      {"secrets", kRelease, "seal values into a file for git, which only the server can open", cli::secrets},
      {"status", kRelease, "show what serves and how its instances are", cli::status},

      {"serve", kServer, "be the server: API, router, supervision", serve_command},
      {"reload", kServer, "upgrade the server to the installed binary without losing a request", cli::reload},
      {"apps", kServer, "list apps, or destroy one", cli::apps},
      {"setup", kServer, "make a server of a machine", cli::setup},
      {"access", kServer, "say who may use this server, and see what they did", cli::access},
      {"version", kServer, "print the version", cli::version},

      {"completion", kHelp, "print what makes a shell complete these words", cli::completion},
      {"man", kHelp, "print a manual page", cli::man},

      {"__complete", "", "", cli::complete},
      {"stdio", "", "carry the API over stdin and stdout: what HOLDALL_HOST=ssh:// runs on a server",
       cli::stdio},
      {"control", "", "", control_command},
      {"router", "", "", router_command},
  };
  return cli::command_line(kCommands, argc, argv);
}
