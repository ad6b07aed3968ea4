#include "cli/release_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/time.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

std::string labelled(std::string_view word, std::string_view text) {
  return fmt::format("  {:<10}{}", word, text);
}

std::string span(const Json& data, std::string_view key) {
  const Json* ms = data.find(key);
  if (!ms || !ms->is_number()) return "";
  return text(std::chrono::nanoseconds(static_cast<std::int64_t>(ms->number() * 1e6)));
}

std::string joined(const Json& strings, std::string_view between) {
  std::string all;
  for (const Json& item : strings.items()) all += (all.empty() ? "" : std::string(between)) + item.string();
  return all;
}

std::string_view sign(const std::string& kind) {
  if (kind == "add") return "+";
  if (kind == "replace") return "~";
  if (kind == "remove") return "-";
  if (kind == "scale") return "*";
  return "=";
}

std::string change_text(const Json& change) {
  const std::string& kind = change.at("kind").string();
  std::string replicas = kind == "remove" ? "" : fmt::format(" x{}", change.integer_or("replicas", 1));
  return fmt::format("{} {}{}", sign(kind), change.at("service").string(), replicas);
}

/// "DB_PASSWORD -> db, web   API_KEY -> web   verified": who sees what. There is no plan where one does not
/// open.
std::string secrets_text(const Json& plan) {
  std::string out;
  if (const Json* secrets = plan.find("secrets")) {
    for (const auto& [name, services] : secrets->members()) {
      out +=
          fmt::format("{} -> {}   ", name, services.items().empty() ? "no service" : joined(services, ", "));
    }
  }
  return out.empty() ? out : out + "verified";
}

/// How long it was waited for, where anybody noticed: an exit says itself how soon it came.
std::string waited(const Json& data) {
  const Json* ms = data.find("start_ms");
  return ms && ms->is_number() && ms->number() >= 1000 ? "   after " + span(data, "start_ms") : "";
}

/// What a line of mozlog JSON says to people; any other line as it is.
std::string plain(const std::string& line) {
  if (!line.starts_with("{\"Timestamp\":")) return line;
  try {
    const Json record = Json::parse(line);
    std::string out = record.at("Type").string();
    const Json* fields = record.find("Fields");
    if (!fields) return out;
    if (const Json* message = fields->find("msg")) out += "  " + message->string();
    for (const auto& [name, value] : fields->members()) {
      if (name != "msg")
        out += fmt::format("  {}={}", name, value.is_string() ? value.string() : value.print());
    }
    return out;
  } catch (const Error&) {
    return line;
  }
}

/// "12 served   0 failed", with causes where something failed.
std::string requests_text(const Json& requests) {
  if (const Json* unknown = requests.find("unknown")) return "unknown: " + unknown->string();
  std::string out = fmt::format("{} served   {} failed", requests.integer_or("served", 0),
                                requests.integer_or("failed", 0));
  if (std::int64_t cut = requests.integer_or("cut", 0)) out += fmt::format("   {} cut", cut);
  if (std::int64_t told = requests.integer_or("maintenance", 0))
    out += fmt::format("   {} told of maintenance", told);
  const Json* releases = requests.find("releases");
  if (!releases) return out;
  for (const auto& [release, counts] : releases->members()) {
    const Json* failed = counts.find("failed");
    if (!failed) continue;
    for (const auto& [cause, count] : failed->members()) {
      if (count.integer())
        out += fmt::format("   {} {}: {}", count.integer(), cause, release.empty() ? "no release" : release);
    }
  }
  return out;
}

std::string drain_text(const Json& drain, const std::string& from) {
  std::string out = fmt::format("{} requests finished on {} in {}", drain.integer_or("finished", 0), from,
                                span(drain, "took_ms"));
  if (std::int64_t cut = drain.integer_or("cut", 0))
    out += fmt::format("   {} cut at the drain deadline", cut);
  return out;
}

std::string took(const Json& instance) {
  return instance.boolean_or("completed", false) ? "completed" : span(instance, "ready_ms");
}

/// "web.1 3 ms   web.2 4 ms", or of a service with more of them than a line takes "web x50 3 ms to 9 ms".
std::string instances_text(std::vector<Json> instances) {
  constexpr std::size_t kNamed = 6;
  std::map<std::string, std::vector<Json>> services;
  for (Json& one : instances) services[one.at("service").string()].push_back(std::move(one));
  std::vector<std::string> all;
  for (auto& [service, these] : services) {
    const bool many = these.size() > kNamed;
    std::ranges::sort(these, {}, [&](const Json& one) {
      const Json* ms = one.find("ready_ms");
      if (!many || !ms || !ms->is_number()) return static_cast<double>(one.integer_or("slot", 0));
      return ms->number();
    });
    if (many) {
      const std::string first = took(these.front()), last = took(these.back());
      all.push_back(
          fmt::format("{} x{} {}", service, these.size(), first == last ? first : first + " to " + last));
      continue;
    }
    for (const Json& one : these) all.push_back(one.at("name").string() + " " + took(one));
  }
  return fmt::format("{}", fmt::join(all, "   "));
}

}  // namespace

std::vector<std::string> plan_lines(const Json& plan) {
  std::vector<std::string> lines;
  std::vector<std::string> parts;
  for (const Json& change : plan.at("changes").items()) parts.push_back(change_text(change));
  const Json& routes = plan.at("routes");
  if (!routes.items().empty()) parts.push_back("route " + joined(routes, " "));
  lines.push_back(labelled("plan", fmt::format("{}", fmt::join(parts, "   "))));
  if (!plan.at("ports").items().empty()) lines.push_back(labelled("ports", joined(plan.at("ports"), "   ")));
  if (std::string secrets = secrets_text(plan); !secrets.empty())
    lines.push_back(labelled("secrets", secrets));
  for (const auto& [member, word] :
       {std::pair("scaled", "scaled"), std::pair("commands", "run"), std::pair("not_undone", "not undone")}) {
    const Json* list = plan.find(member);
    if (!list) continue;
    for (const Json& one : list->items()) lines.push_back(labelled(word, one.string()));
  }
  if (const Json* warnings = plan.find("warnings")) {
    for (const Json& warning : warnings->items()) lines.push_back(labelled("limits", warning.string()));
  }
  for (const Json& change : plan.at("changes").items()) {
    const std::string& kind = change.at("kind").string();
    if (kind != "replace" && kind != "scale") continue;
    for (const Json& why : change.at("why").items()) {
      lines.push_back(labelled("change", fmt::format("{}.{}", change.at("service").string(), why.string())));
    }
  }
  return lines;
}

std::vector<std::string> report_lines(const Json& report) {
  std::vector<std::string> lines;
  auto add = [&](std::string_view word, const std::string& text) {
    if (!text.empty()) lines.push_back(labelled(word, text));
  };
  auto spans = [&](std::string_view member, std::string_view key) {
    std::vector<std::string> all;
    if (const Json* list = report.find(member)) {
      for (const Json& one : list->items()) all.push_back(one.at("name").string() + " " + span(one, key));
    }
    return fmt::format("{}", fmt::join(all, "   "));
  };
  add("phases", spans("phases", "ms"));
  if (const Json* instances = report.find("instances"))
    add("start", instances_text({instances->items().begin(), instances->items().end()}));
  add("overhead", span(report, "overhead_ms"));
  if (const Json* drain = report.find("drain")) {
    add("drain", fmt::format("{} requests finished, {} cut, in {}", drain->integer_or("finished", 0),
                             drain->integer_or("cut", 0), span(*drain, "ms")));
  }
  if (const Json* requests = report.find("requests")) add("requests", requests_text(*requests));
  return lines;
}

void ReleaseView::say(std::string_view word, std::string_view text) const {
  if (out_) out_->line(labelled(word, text));
}

std::string ReleaseView::started() const {
  std::vector<Json> all;
  for (const auto& [name, instance] : started_) all.push_back(instance);
  return instances_text(std::move(all));
}

void ReleaseView::show_failure(const Json& data) {
  finished_ = failed_ = true;
  if (!out_) return;
  out_->line(labelled(out_->paint(Colour::red, "failed    "), data.string_or("reason", "") + waited(data)));
  if (const Json* lines = data.find("lines")) {
    for (const Json& line : lines->items()) {
      // A message may have several lines.
      std::istringstream said(plain(line.string()));
      for (std::string part; std::getline(said, part);) out_->line(fmt::format("{:12}| {}", "", part));
    }
  }
  std::string kept = data.string_or("kept", "");
  std::string rest = live_ ? "" : fmt::format("; {} never got a request", to_.empty() ? "it" : to_);
  say("kept",
      kept.empty() ? fmt::format("nothing served before{}", rest) : fmt::format("{} serves{}", kept, rest));
}

void ReleaseView::show(const Json& event) {
  const std::string& kind = event.at("kind").string();
  const Json& data = event.at("data");
  if (kind == "plan") {
    from_ = data.string_or("from", "");
    to_ = data.string_or("to", "");
    for (const std::string& line : plan_lines(data)) {
      if (out_) out_->line(line);
    }
  } else if (kind == "command") {
    say("command", fmt::format("{}: {}", data.at("service").string(), data.at("command").string()));
  } else if (kind == "output") {
    for (const Json& line : data.at("lines").items()) {
      if (out_) out_->line(fmt::format("{:12}| {}", "", plain(line.string())));
    }
  } else if (kind == "ran") {
    say("command", fmt::format("{} done in {}", data.at("service").string(), span(data, "took_ms")));
  } else if (kind == "start") {
    if (out_) out_->transient(labelled("start", data.at("service").string()));
  } else if (kind == "ready") {
    started_[data.at("name").string()] = data;
    if (out_) out_->transient(labelled("start", started()));
  } else if (kind == "switch") {
    std::string serves = from_.empty() ? "" : fmt::format("     {} serves", from_);
    if (!started_.empty()) say("start", started() + serves);
    if (!from_.empty()) say("switch", fmt::format("{} -> {} in {}", from_, to_, span(data, "took_ms")));
  } else if (kind == "live") {
    live_ = true;
    for (const Json& url : data.at("urls").items()) say("live", url.string());
    std::string overhead = span(data, "overhead_ms");
    if (!overhead.empty()) say("live", fmt::format("overhead {} beyond the app's own start", overhead));
  } else if (kind == "drain") {
    if (!from_.empty()) say("drain", drain_text(data, from_));
  } else if (kind == "watch") {
    if (out_) out_->transient(labelled("watch", span(data, "for_ms")));
  } else if (kind == "stop") {
    if (out_) out_->transient(labelled("stop", from_));
  } else if (kind == "revert" && data.boolean_or("switched", false)) {
    std::string to = data.string_or("to", "");
    say("revert", to.empty() ? "it serves no longer" : fmt::format("{} serves again", to));
  } else if (kind == "failed") {
    show_failure(data);
  } else if (kind == "done") {
    finished_ = true;
    const Json* requests = data.at("report").find("requests");
    if (requests && !from_.empty()) say("requests", requests_text(*requests));
    if (out_ && !requests) out_->transient("");
  }
}

void follow_release(Server& server, const std::string& app, int number, ReleaseView& view) {
  auto target = [&] {
    return fmt::format("/v1/apps/{}/releases/{}/events", wire::percent_encode(app), number);
  };
  server.events("GET", target, true, [&](const Server::Event& event) {
    view.show(event.data);
    return !view.finished();
  });
}

}  // namespace holdall::cli
