#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>

#include "base/error.h"

namespace holdall::cli {
namespace {

/// CLI11's own words, as ours: lower case at the beginning, none at the end.
std::string own_words(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
  return text;
}

[[noreturn]] void refuse(const std::string& command, const std::string& what) {
  throw Error(Error::invalid, fmt::format("{}: {}\n  see: {} --help", command, what, command));
}

std::string reason(const CLI::App& app, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    std::vector<std::string> extras = app.remaining();
    if (!extras.empty() && extras.front().starts_with("-"))
      return fmt::format("unknown flag {}", extras.front().substr(0, extras.front().find('=')));
    if (!extras.empty()) return fmt::format("unexpected argument '{}'", extras.front());
  }
  return own_words(error.what());
}

/// Adds the option unless the command has one of these names already: `logs -f` follows.
class GlobalAdder {
 public:
  GlobalAdder(CLI::App& app, std::vector<Description::Flag>& added) : app_(app), added_(added) {}

  template <typename Value>
  void option(const std::string& names, Value& value, const std::string& kind, const std::string& help) {
    std::string free = free_names(names);
    if (free.empty()) return;
    app_.add_option(free, value, help);
    added_.push_back({free, kind, help});
  }

  void flag(const std::string& names, bool& value, const std::string& help) {
    std::string free = free_names(names);
    if (free.empty()) return;
    app_.add_flag(free, value, help);
    added_.push_back({free, "", help});
  }

 private:
  std::string free_names(const std::string& names) const {
    std::string free;
    for (std::size_t at = 0; at < names.size();) {
      std::size_t comma = std::min(names.find(',', at), names.size());
      std::string name = names.substr(at, comma - at);
      at = comma + 1;
      if (!app_.get_option_no_throw(name)) free += (free.empty() ? "" : ",") + name;
    }
    return free;
  }

  CLI::App& app_;
  std::vector<Description::Flag>& added_;
};

/// An option that may be repeated takes one value each time, so that what follows is not eaten.
void one_value_each(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && option->get_items_expected_max() > 1) option->allow_extra_args(false);
  }
}

/// Without CLI11's own list of the values in the help, which names them already.
CLI::Validator one_of(const std::vector<std::string>& allowed) {
  return CLI::IsMember(allowed).description("");
}

CLI::Validator a_count() {
  auto check = [](std::string& text) {
    bool digits = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == text.npos;
    return digits ? std::string() : fmt::format("'{}' is no count", text);
  };
  return CLI::Validator(check, "");
}

std::vector<Description::Flag> add_globals(CLI::App& app, Globals& globals) {
  std::vector<Description::Flag> added;
  GlobalAdder add(app, added);
  add.option("-f,--file", globals.files, "FILE", "Compose file; may be repeated");
  add.option("-p,--project-name", globals.project_name, "NAME", "name of the project");
  add.option("--profile", globals.profiles, "NAME", "turn on a profile; may be repeated");
  add.option("--env-file", globals.env_files, "FILE", "read variables from here instead of .env");
  add.option("--project-directory", globals.project_dir, "DIR", "where relative paths start");
  add.option("--on", globals.environment, "ENV", "the environment, of x-holdall.environments");
  add.option("-H,--host", globals.host, "URL", "the server: ssh://user@host or unix:///path");
  add.flag("-y,--yes", globals.yes, "ask nothing");
  add.option("--ansi", globals.ansi, "WHEN", "colour: never, always, auto");
  if (CLI::Option* ansi = app.get_option_no_throw("--ansi")) {
    ansi->check(one_of({"never", "always", "auto"}));
  }
  one_value_each(app);
  return added;
}

}  // namespace

struct Options::Impl {
  Invocation& call;
  CLI::App app;
  Description description;
  std::string* place = nullptr;  ///< of `program`
  std::vector<std::string>* argv = nullptr;

  Impl(Invocation& invocation, const std::string& example)
      : call(invocation), app("", "holdall " + std::string(invocation.command.name)) {
    app.set_help_flag("-h,--help");
    description.name = invocation.command.name;
    description.about = invocation.command.help;
    description.example = example;
  }

  std::string name() const { return app.get_name(); }
  void take_program();
};

Options::Options(Invocation& call, const std::string& example)
    : impl_(std::make_unique<Impl>(call, example)) {}
Options::~Options() = default;

void Options::flag(const std::string& names, bool& value, const std::string& help) {
  impl_->app.add_flag(names, value, help);
  impl_->description.flags.push_back({names, "", help});
}

void Options::value(const std::string& names, std::optional<std::string>& value, const std::string& kind,
                    const std::string& help) {
  impl_->app.add_option(names, value, help);
  impl_->description.flags.push_back({names, kind, help});
}

void Options::values(const std::string& names, std::vector<std::string>& values, const std::string& kind,
                     const std::string& help) {
  impl_->app.add_option(names, values, help);
  impl_->description.flags.push_back({names, kind, help});
}

void Options::number(const std::string& names, std::optional<int>& value, const std::string& kind,
                     const std::string& help) {
  impl_->app.add_option(names, value, help)->check(a_count());
  impl_->description.flags.push_back({names, kind, help});
}

void Options::choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
                     const std::string& help) {
  impl_->app.add_option(names, value, help)->check(one_of(allowed));
  impl_->description.flags.push_back({names, fmt::format("{}", fmt::join(allowed, "|")), help});
}

void Options::argument(const std::string& name, std::optional<std::string>& value, const std::string& help,
                       bool required) {
  impl_->app.add_option(name, value, help)->required(required);
  impl_->description.arguments.push_back({name, help, required, false});
}

void Options::arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  impl_->app.add_option(name, values, help);
  impl_->description.arguments.push_back({name, help, false, true});
}

void Options::program(const std::string& where, std::string& place, const std::string& where_help,
                      const std::string& name, std::vector<std::string>& argv, const std::string& help) {
  impl_->app.prefix_command();
  impl_->description.arguments.push_back({where, where_help, true, false});
  impl_->description.arguments.push_back({name, help, false, true});
  impl_->description.runs_program = true;
  impl_->place = &place;
  impl_->argv = &argv;
}

/// What the flags have left is the place, then the program.
void Options::Impl::take_program() {
  std::vector<std::string> rest = app.remaining();
  const std::string& where = description.arguments.front().name;
  if (!rest.empty() && rest.front() == "--") rest.erase(rest.begin());
  if (rest.empty()) refuse(name(), fmt::format("{} is missing", where));
  if (rest.front().starts_with("-"))
    refuse(name(), fmt::format("unknown flag {}", rest.front().substr(0, rest.front().find('='))));
  *place = rest.front();
  argv->assign(rest.begin() + 1, rest.end());
}

bool Options::parse() {
  CLI::App& app = impl_->app;
  impl_->description.globals = add_globals(app, impl_->call.globals);
  if (impl_->call.description) {
    *impl_->call.description = impl_->description;
    return false;
  }
  std::vector<std::string> reversed(impl_->call.arguments.rbegin(), impl_->call.arguments.rend());
  try {
    app.parse(reversed);
    if (impl_->place) impl_->take_program();
  } catch (const CLI::CallForHelp&) {
    std::fputs(help_text(impl_->description).c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    refuse(impl_->name(), reason(app, error));
  }
  return true;
}

std::vector<Description::Flag> global_flags() {
  CLI::App app;
  Globals globals;
  return add_globals(app, globals);
}

Start parse_start(int argc, char** argv) {
  Start start;
  CLI::App app("", "holdall");
  app.set_help_flag();
  app.add_flag("-h,--help", start.help);
  app.add_flag("-v,--version", start.version);
  add_globals(app, start.globals);
  app.prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    refuse("holdall", reason(app, error));
  }
  start.rest = app.remaining();
  if (!start.rest.empty() && start.rest.front().starts_with("-"))
    refuse("holdall", "unknown flag " + start.rest.front());
  return start;
}

}  // namespace holdall::cli
