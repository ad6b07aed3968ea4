#include "cli/setup.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/options.h"
#include "cli/settings.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// useradd waits for locks, systemctl for the service's word that it is ready.
constexpr auto kCommandTimeout = 2min;

/// As root through sudo, on this terminal, which sudo may ask for a password.
int through_sudo(std::vector<std::string> words) {
  holdall::Command command;
  command.argv = {"sudo", std::filesystem::read_symlink("/proc/self/exe").string(), "setup"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = environment();
  command.fds = {{0, 0}, {1, 1}, {2, 2}};
  pid_t child = 0;
  try {
    child = spawn(command);
  } catch (const Error& error) {
    throw Error(Error::denied, "setup --here needs root, and there is no sudo here");
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Exit exit = decode_wait_status(status);
  return exit.signal ? 128 + exit.signal : exit.code;
}

void refuse_later(const std::string& engine, const std::optional<std::string>& restore) {
  if (restore) throw Error(Error::invalid, "setup --restore: backups come in a later version");
  if (engine.empty() || engine == "process") return;
  throw Error(
      Error::invalid,
      engine == "docker"
          ? "setup --engine docker: the Docker engine, and its installation, come in a later version; "
            "the process engine needs nothing installed"
          : fmt::format("setup --engine: '{}' is no engine; there is: process", engine));
}

}  // namespace

int carry_out(const std::vector<Step>& steps, bool dry_run, const Terminal& out) {
  int changes = 0;
  for (const Step& step : steps) {
    try {
      std::optional<std::string> missing = step.missing();
      if (!missing) {
        out.line(fmt::format("  {}  {}", out.paint(Colour::dim, "already"), step.what));
        continue;
      }
      ++changes;
      if (!dry_run) step.act();
      out.line(fmt::format("  {}  {:<34} {}", out.paint(Colour::green, dry_run ? "would  " : "done   "),
                           step.what, *missing));
    } catch (const Error& error) {
      throw error.during(step.what);
    }
  }
  return changes;
}

std::string must_run(std::vector<std::string> argv) {
  holdall::Command command;
  std::string name = argv.front();
  command.argv = std::move(argv);
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"LC_ALL", "C"}};
  Output output = holdall::run(command, Deadline::after(kCommandTimeout));
  if (output.timed_out) throw Error(Error::busy, fmt::format("{} did not end in two minutes", name));
  if (output.exit.ok()) return output.out;
  std::string said = output.err.empty() ? output.out : output.err;
  while (said.ends_with('\n')) said.pop_back();
  throw Error(Error::failed, fmt::format("{} {}: {}", name, text(output.exit), said));
}

bool has_systemd() { return std::filesystem::is_directory("/run/systemd/system"); }

int setup(Invocation& call) {
  std::optional<std::string> destination, restore;
  std::string engine;
  bool here = false, remove = false;
  SetupOptions chosen;
  Options options(call,
                  "  holdall setup root@203.0.113.7\n"
                  "  holdall setup deploy@203.0.113.7 --dry-run\n"
                  "  sudo holdall setup --here");
  options.argument("USER@HOST", destination, "the server, as ssh knows it");
  options.flag("--here", here, "make this machine a server");
  std::optional<std::string> wanted;
  options.value("--engine", wanted, "NAME", "what runs instances: process");
  options.flag("--remove", remove, "take the service away again; instances and data stay");
  options.flag("--purge", chosen.purge,
               "with --remove: stop every instance and delete all data, once the machine's name is typed");
  options.flag("--dry-run", chosen.dry_run, "say what would be done");
  options.value("--restore", restore, "BACKUP", "begin from a backup: in a later version");
  if (!options.parse()) return 0;
  chosen.engine = wanted.value_or("");
  chosen.yes = call.globals.yes;
  refuse_later(chosen.engine, restore);
  if (here == destination.has_value())
    throw Error(Error::invalid, "holdall setup: which server? USER@HOST, or --here for this machine");
  if (chosen.purge && !remove) throw Error(Error::invalid, "holdall setup: --purge is for --remove");

  std::vector<std::string> words{"--here"};
  if (!chosen.engine.empty()) words.insert(words.end(), {"--engine", chosen.engine});
  if (remove) words.emplace_back("--remove");
  if (chosen.purge) words.emplace_back("--purge");
  if (chosen.dry_run) words.emplace_back("--dry-run");
  Terminal out(1, call.globals.ansi);
  if (destination) return setup_there(*destination, words, chosen.dry_run, out);
  if (geteuid() != 0) return through_sudo(words);
  return remove ? remove_here(chosen, out) : setup_here(chosen, out);
}

}  // namespace holdall::cli
