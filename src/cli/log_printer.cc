#include "cli/log_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wire/wire.h"

namespace holdall::cli {
namespace {

constexpr std::array kColours{Colour::cyan, Colour::yellow, Colour::green, Colour::magenta, Colour::blue};

class LogPrinter {
 public:
  LogPrinter(const LogOptions& options, const Terminal& out) : options_(options), out_(out) {}

  /// Where reading begins, and after a cut goes on.
  std::string target() const {
    std::string target = fmt::format("/v1/apps/{}/logs?follow={}", wire::percent_encode(options_.app),
                                     options_.follow ? 1 : 0);
    if (!options_.services.empty()) {
      target += "&service=" + wire::percent_encode(fmt::format("{}", fmt::join(options_.services, ",")));
    }
    if (options_.tail) target += fmt::format("&tail={}", *options_.tail);
    if (!cursors_.empty()) target += "&from=" + wire::percent_encode(cursors().print());
    return target;
  }

  void print(const Server::Event& event) {
    if (event.name == "line") line(wire::parse_log_line(event.data));
    if (event.name == "dropped") {
      out_.line(out_.paint(Colour::dim,
                           fmt::format("holdall: {} bytes of {}.{} were removed before they were read",
                                       event.data.integer_or("bytes", 0), event.data.string_or("service", ""),
                                       event.data.integer_or("slot", 0))));
    }
  }

 private:
  struct Offsets {
    std::uint64_t out = 0, err = 0;
  };

  Json cursors() const {
    Json all = Json::object();
    for (const auto& [instance, at] : cursors_) all[instance] = Json::array({at.out, at.err});
    return all;
  }

  void line(const wire::LogLine& line) {
    Offsets& at = cursors_[line.instance];
    (line.stream == "stdout" ? at.out : at.err) = line.next;
    if (options_.since && line.time < *options_.since) return;
    if (!options_.prefix) return out_.line(line.text);
    std::string name =
        fmt::format("{}{}{}.{}", options_.host, options_.host.empty() ? "" : " ", line.service, line.slot);
    Colour colour = colours_.try_emplace(name, kColours[colours_.size() % kColours.size()]).first->second;
    width_ = std::max(width_, name.size());
    out_.line(out_.paint(colour, fmt::format("{:<{}} | ", name, width_)) + line.text);
  }

  const LogOptions& options_;
  const Terminal& out_;
  std::map<std::string, Offsets> cursors_;  ///< by instance
  std::map<std::string, Colour> colours_;
  std::size_t width_ = 0;
};

}  // namespace

void print_logs(Server& server, const LogOptions& options, const Terminal& out) {
  LogPrinter printer(options, out);
  server.events(
      "GET", [&] { return printer.target(); }, options.follow,
      [&](const Server::Event& event) {
        printer.print(event);
        return true;
      });
}

}  // namespace holdall::cli
