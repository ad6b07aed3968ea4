#include "app/procfile.h"

#include <fmt/format.h>

#include <optional>

namespace holdall::app {
namespace {

using Kind = Node::Kind;

// Heroku's own: where an environment names no domain, the name that every machine finds at home.
constexpr const char* kRoute = "${HOLDALL_DOMAIN:-${COMPOSE_PROJECT_NAME}.localhost}";

struct Line {
  std::string type, command;
  Where where;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_type(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string_view::npos;
}

std::vector<Line> read_lines(std::string_view bytes, const std::string& file, Findings& findings) {
  std::vector<Line> lines;
  int number = 0;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view text = trimmed(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    const Where where{file, ++number, 1};
    if (text.empty() || text.starts_with('#')) continue;
    const std::size_t colon = text.find(':');
    const std::string_view type = trimmed(text.substr(0, colon));
    const std::string_view command = colon == std::string_view::npos ? "" : trimmed(text.substr(colon + 1));
    if (colon == std::string_view::npos || !is_type(type)) {
      findings.misshape(where, "is no line of a Procfile", "write 'web: command'");
    } else if (command.empty()) {
      findings.misshape(where, fmt::format("{} has no command", type));
    } else {
      lines.push_back({std::string(type), std::string(command), where});
    }
  }
  return lines;
}

/// What the shell is to expand must survive the reader, which would do it first.
Node shell_command(const Line& line) {
  std::string escaped;
  for (char c : line.command) escaped += c == '$' ? "$$" : std::string(1, c);
  Node argv = Node::empty(Kind::sequence, line.where);
  for (std::string word : {std::string("/bin/sh"), std::string("-c"), std::move(escaped)})
    argv.items.push_back(Node::string(std::move(word), line.where));
  return argv;
}

Node service_of(const Line& line, bool release, const Line* release_line) {
  const Where& where = line.where;
  Node service = Node::empty(Kind::mapping, where);
  service.set("build", Node::string(".", where));
  service.set("command", shell_command(line));
  // As Heroku has it: a process type runs until it is told to end.
  service.set("restart", Node::string("always", where));
  if (!release) {
    Node entry = Node::empty(Kind::mapping, where);
    entry.set("path", Node::string(".env", where));
    entry.set("required", Node::of(false, where));
    Node files = Node::empty(Kind::sequence, where);
    files.items.push_back(std::move(entry));
    service.set("env_file", std::move(files));
  }
  Node extension = Node::empty(Kind::mapping, where);
  if (line.type == "web") extension.set("route", Node::string(kRoute, where));
  if (release_line) extension.set("release_command", shell_command(*release_line));
  if (!extension.members.empty()) service.set("x-holdall", std::move(extension));
  return service;
}

}  // namespace

bool is_procfile(const std::filesystem::path& file) { return file.filename() == "Procfile"; }

Node read_procfile(std::string_view bytes, const std::string& file, bool release, Findings& findings) {
  const std::vector<Line> lines = read_lines(bytes, file, findings);
  const Line *release_line = nullptr, *main = nullptr;
  for (const Line& line : lines) {
    if (line.type == "release") {
      release_line = &line;
    } else if (!main || line.type == "web") {
      main = &line;
    }
  }
  Node services = Node::empty(Kind::mapping, {file, 1, 1});
  for (const Line& line : lines) {
    if (&line == release_line) continue;
    if (services.find(line.type) || line.type == "release") {
      findings.misshape(line.where, fmt::format("{} is written twice", line.type), "keep one of the lines");
      continue;
    }
    services.set(line.type, service_of(line, release, &line == main ? release_line : nullptr));
  }
  if (!main && findings.misshapen == 0) {
    findings.misshape({file, 1, 1}, "names no process", "write 'web: command'");
  }
  Node root = Node::empty(Kind::mapping, {file, 1, 1});
  root.set("services", std::move(services));
  return root;
}

}  // namespace holdall::app
