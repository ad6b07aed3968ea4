#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "kit/service.h"

namespace holdall::kit {
namespace {

constexpr int kUsage = 2;

// After the time for running requests, a moment to end in. Together with STOP_TIMEOUT's default it is less
// than the 10 s after which Docker and Holdall kill.
constexpr auto kEndBound = std::chrono::seconds(1);

std::string list_of(std::string_view program, const std::vector<Command>& commands) {
  std::string out = fmt::format("usage: {} COMMAND [ARGUMENT...]\n\n", program);
  for (const Command& command : commands) {
    fmt::format_to(std::back_inserter(out), "  {:<12} {}\n", command.name(), command.help());
  }
  fmt::format_to(std::back_inserter(out), "\n{} COMMAND --help lists its settings.\n", program);
  return out;
}

std::string help_of(std::string_view program, const Command& command) {
  std::string out = fmt::format("{} {}: {}\n", program, command.name(), command.help());
  if (!command.settings().empty())
    out += "\nSettings, from the environment:\n" + describe(command.settings());
  return out + "\nSettings of every command:\n" + describe(setting_rows(kCommon));
}

bool asks_for_help(std::string_view argument) { return argument == "--help" || argument == "-h"; }

std::string what_flies() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

[[noreturn]] void log_and_abort() {
  // Without an exception: a joinable thread was destroyed, or the like.
  std::string fault = std::current_exception() ? what_flies() : "terminated";
  log::critical("service.crash", fault);
  std::abort();
}

int run_command(const Command::Prepared& command, Service& service) {
  try {
    return command(service);
  } catch (const Error& error) {
    log::critical("service.failed", error.what(), Json::object({{"kind", name(error.kind())}}));
    return exit_code(error.kind());
  } catch (...) {
    log::critical("service.failed", what_flies());
    return exit_code(Error::broken);
  }
}

int start(const Command& command, std::vector<std::string> arguments, const Options& options) {
  std::vector<Problem> problems;
  Common common = read_common(problems);
  Command::Prepared prepared = command.prepare(problems);
  std::string version;
  try {
    version = version_document(options.version);
  } catch (const Error& error) {
    problems.push_back({{}, error.what(), ""});
  }
  if (!problems.empty()) {
    std::string all = fmt::format("{} cannot start:", command.name());
    for (const Problem& problem : problems) all += "\n" + text(problem);
    log::critical("service.settings", all, Json::object({{"problems", problems.size()}}));
    return kUsage;
  }
  std::set_terminate(log_and_abort);
  signal(SIGPIPE, SIG_IGN);
  Signals signals(common.stop_timeout + kEndBound);
  log::Backlog backlog;
  Running service(common, std::move(version), std::move(arguments), signals);
  int code = run_command(prepared, service);
  signals.settle(code);
  return code;
}

}  // namespace

Command::Command(std::string_view name, std::string_view help, int (*run)(Service&))
    : name_(name), help_(help), prepare_([run](std::vector<Problem>&) -> Prepared { return run; }) {}

int run(std::string_view program, const std::vector<Command>& commands, int argc, char** argv,
        const Options& options) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.empty()) {
    fmt::print(stderr, "{}: no command is given\n{}", program, list_of(program, commands));
    return kUsage;
  }
  std::string first = arguments.front();
  arguments.erase(arguments.begin());
  if (asks_for_help(first)) {
    fmt::print("{}", list_of(program, commands));
    return 0;
  }
  auto found = std::ranges::find(commands, first, &Command::name);
  if (found == commands.end()) {
    fmt::print(stderr, "{}: there is no command '{}'\n{}", program, first, list_of(program, commands));
    return kUsage;
  }
  if (!arguments.empty() && asks_for_help(arguments.front())) {
    fmt::print("{}", help_of(program, *found));
    return 0;
  }
  log::set_logger(fmt::format("{}.{}", program, found->name()));
  return start(*found, std::move(arguments), options);
}

}  // namespace holdall::kit
