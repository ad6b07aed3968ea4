#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "cli/completion.h"
#include "cli/options.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

namespace fs = std::filesystem;

/// Text as troff shows it: no line begins a request, dashes can be searched for.
std::string plain(std::string_view text) {
  std::string out;
  bool first = true;
  for (char c : text) {
    if (first && (c == '.' || c == '\'')) out += "\\&";
    first = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string heading(std::string_view page) {
  std::string name(page);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  const wire::Build& build = wire::build();
  return fmt::format(".TH {} 1 \"{}\" \"holdall {}\" \"Holdall\"\n", plain(name), build.date, build.version);
}

std::string entry(std::string_view term, std::string_view text) {
  return fmt::format(".TP\n.B {}\n{}\n", plain(term), plain(text));
}

std::string example(std::string_view lines) { return fmt::format(".nf\n{}\n.fi\n", plain(lines)); }

std::string flags(std::string_view title, const std::vector<Description::Flag>& all) {
  std::string out = all.empty() ? "" : fmt::format(".SH {}\n", title);
  for (const Description::Flag& flag : all) out += entry(text(flag), flag.help);
  return out;
}

std::string file_name(std::string_view command) { return fmt::format("holdall-{}", command); }

/// A word of a command, on the command's page.
std::string section(const Description& word) {
  std::string out = fmt::format(".SS {}\n{}.\n.PP\n.B {}\n", plain("holdall " + word.name), plain(word.about),
                                plain(usage(word)));
  for (const Description::Argument& argument : word.arguments) {
    if (!argument.help.empty()) out += entry(argument.name, argument.help);
  }
  for (const Description::Flag& flag : word.flags) out += entry(text(flag), flag.help);
  return out + ".PP\n" + example(word.example);
}

std::string command_page(const Description& command) {
  std::string page = file_name(command.name);
  std::string out = heading(page) + fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n", plain(page),
                                                plain(command.about), plain(usage(command)));
  if (!command.words.empty()) out += ".SH WORDS\n";
  for (const Description& word : command.words) out += section(word);
  if (std::ranges::any_of(command.arguments, [](const auto& one) { return !one.help.empty(); })) {
    out += ".SH ARGUMENTS\n";
    for (const Description::Argument& argument : command.arguments) {
      if (!argument.help.empty()) out += entry(argument.name, argument.help);
    }
  }
  out += flags("FLAGS", command.flags) + flags("GLOBAL FLAGS", command.globals);
  return out + ".SH EXAMPLES\n" + example(command.example) + ".SH SEE ALSO\n.BR holdall (1)\n";
}

std::string main_page(std::span<const Command> table) {
  std::string out = heading("holdall") +
                    ".SH NAME\nholdall \\- your compose.yaml, in production\n"
                    ".SH SYNOPSIS\n.B holdall\n[FLAGS] COMMAND [ARGUMENTS]\n"
                    ".SH DESCRIPTION\nHoldall takes an app from its compose.yaml to production and keeps it "
                    "there, without losing a request.\n";
  std::string_view group;
  out += ".SH COMMANDS\n";
  for (const Command& command : table) {
    if (command.group.empty()) continue;
    if (command.group != group) out += fmt::format(".SS {}\n", plain(command.group));
    group = command.group;
    out += fmt::format(".TP\n.BR {} (1)\n{}\n", plain(file_name(command.name)), plain(command.help));
  }
  return out + flags("GLOBAL FLAGS", global_flags()) +
         ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n.TP\n.B 2\nwrong usage or invalid input\n"
         ".TP\n.B 3\nnot found\n.TP\n.B 4\nconflict\n.TP\n.B 5\nbusy, or timed out\n.TP\n.B 6\ndenied\n"
         ".TP\n.B 70\na bug of holdall\n.PP\n.B run\nand\n.B exec\nreturn what the program returned, and 125 "
         "when Holdall failed.\n";
}

/// Every page, and the completion of every shell, where a package keeps them below DIR.
void write_all(std::span<const Command> table, const fs::path& directory) {
  const fs::path pages = directory / "man/man1";
  auto write = [](const fs::path& file, const std::string& content) {
    fs::create_directories(file.parent_path());
    write_file_atomic(file, content, 0644);
  };
  write(pages / "holdall.1", main_page(table));
  for (const Command& command : table) {
    if (command.group.empty()) continue;
    write(pages / (file_name(command.name) + ".1"), command_page(describe(command, table)));
  }
  write(directory / "bash-completion/completions/holdall", std::string(completion_script("bash")));
  write(directory / "zsh/vendor-completions/_holdall", std::string(completion_script("zsh")));
  write(directory / "fish/vendor_completions.d/holdall.fish", std::string(completion_script("fish")));
}

}  // namespace

int man(Invocation& call) {
  std::optional<std::string> name, into;
  Options options(call, "  holdall man deploy | man -l -\n  holdall man --into /usr/local/share");
  options.argument("COMMAND", name, "the command; else holdall itself");
  options.value("--into", into, "DIR", "write every page, and the completion of every shell, below DIR");
  if (!options.parse()) return 0;
  if (into) return write_all(call.table, *into), 0;
  std::string page;
  if (!name) page = main_page(call.table);
  for (const Command& command : call.table) {
    if (name && command.name == *name && !command.group.empty())
      page = command_page(describe(command, call.table));
  }
  if (page.empty())
    throw Error(Error::missing, fmt::format("no command is named '{}'; see: holdall --help", *name));
  std::fputs(page.c_str(), stdout);
  return 0;
}

}  // namespace holdall::cli
