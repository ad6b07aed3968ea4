#include "app/fig.h"

#include <algorithm>

#include <fmt/format.h>

namespace holdall::app {
namespace {

using Kind = Node::Kind;

void rename(Node& service, std::string_view old, std::string_view now) {
  if (service.find(now)) return;
  for (Node::Member& member : service.members) {
    if (member.key == old) member.key = now;
  }
}

/// `dockerfile` stood beside `build`, and logging in two keys.
void nest(Node& service, std::string_view old, std::string_view parent, std::string_view now) {
  const Node* written = service.find(old);
  if (!written) return;
  Node value = *written;
  service.erase(old);
  Node section = Node::empty(Kind::mapping, value.where);
  if (const Node* there = service.find(parent)) {
    if (there->is(Kind::mapping)) section = *there;
    if (there->is(Kind::string)) section.set("context", *there);
  }
  section.set(now, std::move(value));
  service.set(parent, std::move(section));
}

void name_paths(Node& service) {
  Node* volumes = service.find("volumes");
  if (!volumes) return;
  for (Node& volume : volumes->items) {
    const bool source = volume.is(Kind::string) && volume.text.find(':') != std::string::npos;
    if (source && std::string_view("./~$").find(volume.text[0]) == std::string_view::npos)
      volume.text.insert(0, "./");
  }
}

void name_services(Node& service, const Node& services) {
  constexpr std::string_view container = "container:";
  Node* mode = service.find("network_mode");
  if (!mode || !mode->text.starts_with(container)) return;
  const std::string name = mode->text.substr(container.size());
  if (services.find(name)) mode->text = "service:" + name;
}

}  // namespace

bool is_fig(const Node& root) {
  if (!root.is(Kind::mapping) || root.members.empty() || root.find("services")) return false;
  return std::ranges::all_of(root.members, [](const Node::Member& member) {
    return member.value.is(Kind::mapping) && (member.value.find("image") || member.value.find("build")) &&
           !member.key.starts_with("x-");
  });
}

void make_compose_of_fig(Node& root, Findings& findings) {
  const Node::Member& first = root.members.front();
  std::string below;
  for (const Node::Member& member : first.value.members) {
    if (below.empty() && member.value.is_scalar())
      below = fmt::format("\n      {}: {}", member.key, member.value.text);
  }
  findings.warn(first.where,
                "this is a file of Fig's: its services stand at the top level, and a volume's source is a "
                "path without ./",
                fmt::format("write today:\n    services:\n      {}:{}{}", first.key,
                            below.empty() ? "" : "\n  ", below.empty() ? "" : below.substr(1)));
  Node services = Node::empty(Kind::mapping, first.where);
  services.members = std::move(root.members);
  for (Node::Member& member : services.members) {
    Node& service = member.value;
    rename(service, "net", "network_mode");
    nest(service, "dockerfile", "build", "dockerfile");
    nest(service, "log_driver", "logging", "driver");
    nest(service, "log_opt", "logging", "options");
    name_paths(service);
    name_services(service, services);
  }
  root.members.clear();
  root.set("services", std::move(services));
}

}  // namespace holdall::app
