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

std::string describe(const CLI::App& app, const CLI::ParseError& error) {
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
  explicit GlobalAdder(CLI::App& app) : app_(app) {}

  template <typename Value>
  void option(const std::string& names, Value& value, const std::string& kind, const std::string& help) {
    std::string free = free_names(names);
    if (!free.empty()) app_.add_option(free, value, help)->type_name(kind)->group("Global flags");
  }

  void flag(const std::string& names, bool& value, const std::string& help) {
    std::string free = free_names(names);
    if (!free.empty()) app_.add_flag(free, value, help)->group("Global flags");
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

void add_globals(CLI::App& app, Globals& globals) {
  GlobalAdder add(app);
  add.option("-f,--file", globals.files, "FILE", "Compose file; may be repeated");
  add.option("-p,--project-name", globals.project_name, "NAME", "name of the project");
  add.option("--profile", globals.profiles, "NAME", "turn on a profile; may be repeated");
  add.option("--env-file", globals.env_files, "FILE", "read variables from here instead of .env");
  add.option("--project-directory", globals.project_dir, "DIR", "where relative paths start");
  add.option("-H,--host", globals.host, "URL", "the server: unix:///path");
  add.flag("-y,--yes", globals.yes, "ask nothing");
  GlobalAdder(app).option("--ansi", globals.ansi, "WHEN", "colour: never, always, auto");
  if (CLI::Option* ansi = app.get_option_no_throw("--ansi")) {
    ansi->check(one_of({"never", "always", "auto"}));
  }
  one_value_each(app);
}

}  // namespace

struct Options::Impl {
  Invocation& call;
  std::string name;
  CLI::App app;

  Impl(Invocation& invocation, const std::string& example)
      : call(invocation),
        name(fmt::format("holdall {}", invocation.command.name)),
        app(std::string(invocation.command.help), name) {
    app.set_help_flag("-h,--help", "show this");
    app.footer("\nExample:\n" + example);
    app.get_formatter()->column_width(34);
  }
};

Options::Options(Invocation& call, const std::string& example)
    : impl_(std::make_unique<Impl>(call, example)) {}
Options::~Options() = default;

void Options::flag(const std::string& names, bool& value, const std::string& help) {
  impl_->app.add_flag(names, value, help);
}

void Options::value(const std::string& names, std::optional<std::string>& value, const std::string& kind,
                    const std::string& help) {
  impl_->app.add_option(names, value, help)->type_name(kind);
}

void Options::number(const std::string& names, std::optional<int>& value, const std::string& kind,
                     const std::string& help) {
  impl_->app.add_option(names, value, help)->type_name(kind)->check(a_count());
}

void Options::choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
                     const std::string& help) {
  impl_->app.add_option(names, value, help)
      ->type_name(fmt::format("{}", fmt::join(allowed, "|")))
      ->check(one_of(allowed));
}

void Options::argument(const std::string& name, std::optional<std::string>& value, const std::string& help,
                       bool required) {
  impl_->app.add_option(name, value, help)->type_name("")->required(required);
}

void Options::arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  impl_->app.add_option(name, values, help)->type_name("");
}

bool Options::parse() {
  CLI::App& app = impl_->app;
  add_globals(app, impl_->call.globals);
  std::vector<std::string> reversed(impl_->call.arguments.rbegin(), impl_->call.arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    refuse(impl_->name, describe(app, error));
  }
  return true;
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
    refuse("holdall", describe(app, error));
  }
  start.rest = app.remaining();
  if (!start.rest.empty() && start.rest.front().starts_with("-"))
    refuse("holdall", "unknown flag " + start.rest.front());
  return start;
}

}  // namespace holdall::cli
