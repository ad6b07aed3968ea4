#include <charconv>

#include <fmt/format.h>

#include "app/ports.h"
#include "app/quantity.h"
#include "app/reader.h"

namespace holdall::app {
namespace {

bool is_host(std::string_view host) {
  // What a DNS name may be: 253 characters in labels of at most 63.
  if (host.empty() || host.size() > 253) return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i < host.size(); ++i) {
    char c = host[i];
    bool edge = label == 0 || i + 1 == host.size() || host[i + 1] == '.';
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter_or_digit && (c != '-' || edge)) return false;
    if (++label > 63) return false;
  }
  return label > 0;
}

void add_route(const Reader& place, std::string host, std::string path, bool strip, Service& service) {
  for (char& c : host) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (host.find("://") != std::string::npos || host.ends_with(':')) {
    place.fault("takes a host, not a URL", "leave out what stands before the host: shop.example.com/api");
  } else if (!is_host(host)) {
    place.fault(host.empty() ? "has no host" : fmt::format("'{}' is no host name", host),
                "write a name like shop.example.com, with a path after it if only that is routed");
  } else if (!path.starts_with('/') || path.find_first_of(" ?#\t\r\n") != std::string::npos) {
    place.fault(fmt::format("'{}' is no path", path), "it begins with '/' and holds neither '?' nor '#'");
  } else {
    service.routes.push_back({std::move(host), std::move(path), strip});
  }
}

void read_route(const Reader& route, Service& service) {
  if (route.is_array()) {
    for (const Reader& item : route.items()) {
      if (item.is_array()) {
        item.fault("must be a host or a mapping");
      } else {
        read_route(item, service);
      }
    }
  } else if (route.is_object()) {
    route.allow_only({"host", "path", "strip"});
    add_route(route, route["host"].text().value_or(""), route["path"].text().value_or("/"),
              route["strip"].boolean().value_or(false), service);
  } else if (auto text = route.text()) {
    bool url = text->find("://") != std::string::npos;
    std::size_t slash = url ? std::string::npos : text->find('/');
    std::string path = slash == std::string::npos ? "/" : text->substr(slash);
    add_route(route, text->substr(0, slash), path, false, service);
  }
}

/// "200-399", 204 or "204".
void read_status(const Reader& status, Ready& ready) {
  if (!status.present()) return;
  std::string text =
      status.json()->is_int() ? std::to_string(status.json()->integer()) : status.text().value_or("");
  auto range = parse_port_range(text);  // two numbers and a dash, as there
  if (!range || range->first < 100 || range->last > 599) {
    status.fault(fmt::format("'{}' is no range of HTTP status codes", text), "write 200-399, or one code");
    return;
  }
  ready.status_from = range->first;
  ready.status_to = range->last;
}

void read_ready(const Reader& place, Service& service) {
  if (!place.present()) return;
  Ready ready;
  if (place.is_string()) {
    ready.path = *place.text();
  } else if (place.is_object()) {
    place.allow_only({"path", "port", "command", "file", "status", "interval", "timeout"});
    ready.path = place["path"].text().value_or("");
    ready.command = place["command"].command();
    ready.file = place["file"].text().value_or("");
    ready.port = static_cast<std::uint16_t>(place["port"].integer(1, 65535).value_or(0));
    read_status(place["status"], ready);
    if (auto interval = place["interval"].duration()) {
      ready.interval = *interval;
      ready.later_interval = *interval;
    }
    ready.timeout = place["timeout"].duration().value_or(ready.timeout);
    if (ready.interval.count() == 0) place["interval"].fault("must be more than 0");
    if (ready.timeout.count() == 0) place["timeout"].fault("must be more than 0");
  } else {
    place.fault("must be a path or a mapping", "write 'ready: /health'");
    return;
  }
  const int ways = !ready.path.empty() + !ready.command.empty() + !ready.file.empty();
  if (ways > 1) {
    place.fault("has more than one of path, command and file", "one of them says when the service is ready");
  } else if (ready.port != 0 && (!ready.command.empty() || !ready.file.empty())) {
    place["port"].fault("is of no use to a command or a file", "remove it");
  } else if (!ready.path.empty() &&
             (ready.path[0] != '/' || ready.path.find_first_of(" \t\r\n") != std::string::npos)) {
    place.fault(fmt::format("'{}' is no path", ready.path), "it begins with '/'");
  } else if (ways == 0 && ready.port == 0) {
    place.fault("says nothing", "write 'ready: /health', or a mapping with path, port, command or file");
  } else {
    service.ready = std::move(ready);
  }
}

void read_limits(const Reader& limits, Service& service) {
  for (std::string_view later : {"rate", "connections"}) {
    if (limits[later].present()) limits[later].fault("is refused: it is not counted yet", "remove the key");
  }
  if (limits.present()) limits.allow_only({"body", "rate", "connections", "timeout"});
  if (Reader body = limits["body"]; body.present()) {
    bool count = body.json()->is_int() && body.json()->integer() >= 0;
    auto bytes = count ? std::optional(static_cast<std::uint64_t>(body.json()->integer()))
                       : parse_bytes(body.is_string() ? body.json()->string() : "");
    if (bytes) {
      service.largest_body = *bytes;
    } else {
      body.fault("must be a number of bytes", kBytesHint);
    }
  }
  service.response_timeout = limits["timeout"].duration();
  if (service.response_timeout && service.response_timeout->count() == 0)
    limits["timeout"].fault("must be more than 0");
}

std::map<std::string, std::string> read_variables(const Reader& place) {
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : place.members()) {
    if (!value.present()) place.fault(fmt::format("'{}' has no value", name), "write NAME=value");
    variables[name] = value.text().value_or("");
  }
  return variables;
}

}  // namespace

void read_pre_start(const Reader& hooks, Service& service) {
  for (const Reader& hook : hooks.items()) {
    if (!hook.is_object()) {
      hook.fault("must be a mapping", "write '- command: ...'");
      continue;
    }
    hook.allow_only({"command", "image", "user", "privileged", "working_dir", "environment", "per_replica"});
    for (std::string_view key : {"image", "user", "privileged"}) {
      if (hook[key].present()) {
        hook[key].fault("is refused: it runs as the service does, from its artefact", "remove the key");
      }
    }
    if (Reader each = hook["per_replica"]; each.present() && each.boolean().value_or(false)) {
      each.fault("is refused: a hook runs once per release", "remove the key");
    }
    ReleaseCommand command{.command = hook["command"].command(),
                           .environment = read_variables(hook["environment"]),
                           .working_dir = hook["working_dir"].text().value_or("")};
    if (command.command.empty()) {
      hook.fault("has no command", "write 'command:' with the program and its arguments");
    } else {
      service.release_commands.push_back(std::move(command));
    }
  }
}

void read_extension(const Reader& extension, Service& service) {
  if (!extension.present()) return;
  extension.allow_only({"route", "port", "ready", "start_timeout", "drain_timeout", "hold_timeout", "engine",
                        "build", "limits", "release_command", "release_timeout"});
  read_route(extension["route"], service);
  if (auto port = extension["port"].integer(1, 65535)) service.port = static_cast<std::uint16_t>(*port);
  read_ready(extension["ready"], service);
  service.start_timeout = extension["start_timeout"].duration().value_or(service.start_timeout);
  service.drain_timeout = extension["drain_timeout"].duration().value_or(service.drain_timeout);
  service.hold_timeout = extension["hold_timeout"].duration().value_or(service.hold_timeout);
  if (service.start_timeout.count() == 0) extension["start_timeout"].fault("must be more than 0");
  if (auto engine = extension["engine"].text(); engine && *engine != "process") {
    extension["engine"].fault(fmt::format("there is no engine '{}' yet", *engine),
                              "write process, or leave it out");
  }
  service.build = extension["build"].command();
  if (std::vector<std::string> command = extension["release_command"].command(); !command.empty())
    service.release_commands.push_back({std::move(command), {}, {}});
  service.release_timeout = extension["release_timeout"].duration().value_or(service.release_timeout);
  if (service.release_timeout.count() == 0) extension["release_timeout"].fault("must be more than 0");
  read_limits(extension["limits"], service);
}

}  // namespace holdall::app
