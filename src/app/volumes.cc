#include "app/volumes.h"

#include <vector>

#include <fmt/format.h>

namespace holdall::app {
namespace {

using Kind = Node::Kind;

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/// Whether the colon after the one letter in `rest` belongs to it, as in `C:\data:/data`. A volume may have a
/// name of one letter: what is mounted at a path is one, unless another path comes after it.
bool is_drive(std::string_view rest) {
  if (rest.size() < 2 || !is_letter(rest[0]) || rest[1] != ':') return false;
  const std::string_view after = rest.substr(2);
  if (!after.starts_with('/')) return true;
  return after.find(":/") != std::string_view::npos;
}

/// The parts between colons, drives and `${...}` kept whole.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  int substitutions = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens = text[i] == '$' && text.substr(i + 1).starts_with('{');
    if (opens) ++substitutions;
    if (text[i] == '}' && substitutions > 0) --substitutions;
    const bool drive = text[i] == ':' && parts.back().size() == 1 && is_drive(text.substr(i - 1));
    if (text[i] == ':' && substitutions == 0 && !drive) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

bool is_path(std::string_view source) {
  if (source.empty()) return false;
  if (source[0] == '.' || source[0] == '/' || source[0] == '~' || source.starts_with("\\\\")) return true;
  return source.size() > 1 && is_letter(source[0]) && source[1] == ':';
}

struct Options {
  bool read_only = false, no_copy = false;
  std::string propagation, selinux;
};

Options read_options(std::string_view text) {
  Options options;
  while (true) {
    const std::string_view option = text.substr(0, text.find(','));
    if (option == "ro" || option == "rw") options.read_only = option == "ro";
    if (option == "nocopy") options.no_copy = true;
    if (option == "z" || option == "Z") options.selinux = option;
    for (std::string_view known : {"rprivate", "private", "rshared", "shared", "rslave", "slave"}) {
      if (option == known) options.propagation = option;
    }
    if (option.size() == text.size()) return options;
    text.remove_prefix(option.size() + 1);
  }
}

}  // namespace

Node long_volume(std::string_view text, const Where& where, std::string& error) {
  Node volume = Node::empty(Kind::mapping, where);
  const std::vector<std::string> parts = text.size() < 3 ? std::vector{std::string(text)} : split(text);
  if (text.empty()) error = "nothing is written";
  for (const std::string& part : parts) {
    if (part.empty() && error.empty()) error = "nothing stands before or after a colon";
  }
  if (parts.size() > 3 && error.empty()) error = "there are too many colons";
  if (!error.empty()) return volume;

  auto string = [&](std::string value) { return Node::string(std::move(value), where); };
  const std::string source = parts.size() > 1 ? parts[0] : "";
  const Options options = parts.size() > 2 ? read_options(parts[2]) : Options{};
  const bool bind = is_path(source);
  volume.set("type", string(bind ? "bind" : "volume"));
  if (!source.empty()) volume.set("source", string(source));
  volume.set("target", string(clean_path(parts.size() > 1 ? parts[1] : parts[0])));
  if (options.read_only) volume.set("read_only", Node::of(true, where));
  if (bind || !options.selinux.empty() || !options.propagation.empty()) {
    Node how = Node::empty(Kind::mapping, where);
    if (!options.selinux.empty()) how.set("selinux", string(options.selinux));
    if (!options.propagation.empty()) how.set("propagation", string(options.propagation));
    if (bind) how.set("create_host_path", Node::of(true, where));
    volume.set("bind", std::move(how));
  }
  if ((!bind && text.size() > 2) || options.no_copy) {
    Node how = Node::empty(Kind::mapping, where);
    if (options.no_copy) how.set("nocopy", Node::of(true, where));
    volume.set("volume", std::move(how));
  }
  return volume;
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool rooted = path.starts_with('/');
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty() || part == ".") continue;
    const bool up = part == "..";
    if (up && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!up || !rooted) {
      parts.push_back(part);
    }
  }
  std::string clean = rooted ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) clean += (i ? "/" : "") + std::string(parts[i]);
  return clean.empty() ? "." : clean;
}

}  // namespace holdall::app
