// An open-loop load generator for the app of examples/hello and tests/app. Usage: see kUsage.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sodium.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client.h"
#include "mix.h"
#include "report.h"

namespace {

constexpr const char* kUsage = R"(usage: load [option value]...
  --target 127.0.0.1:8080   where the router listens (IPv4)
  --host hello.localhost    the Host of every request
  --rate 500                requests a second, sent whatever becomes of those before
  --seconds 0               how long; 0: until SIGTERM or SIGINT
  --slow 2                  how long a slow answer takes, in seconds
  --timeout 60              after so many seconds without the whole answer a request has failed
  --seed 1                  the same seed asks for the same in the same order
  --mix all                 plain: only GET /; page: only GET /, of an app that gives no checksum
  --list FILE               a line for each request: ID KIND OUTCOME RELEASE SENT_NS DONE_NS
Prints one JSON object at the end. Exit code 0: none failed; 1: some did; 2: wrong usage.
)";

struct Options {
  std::string target = "127.0.0.1:8080", host = "hello.localhost", mix = "all", list;
  load::Pace pace;
  double slow = 2;
  std::uint64_t seed = 1;
};

/// The one kind that a mix consists of; nothing: of all.
std::optional<load::Kind> only(const std::string& mix) {
  for (load::Kind kind : {load::Kind::plain, load::Kind::page}) {
    if (mix == load::name(kind)) return kind;
  }
  return std::nullopt;
}

bool parse(int count, char** words, Options& options) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 >= count) return false;
    std::string_view name = words[i];
    const char* value = words[i + 1];
    if (name == "--target")
      options.target = value;
    else if (name == "--host")
      options.host = value;
    else if (name == "--rate")
      options.pace.per_second = std::atof(value);
    else if (name == "--seconds")
      options.pace.seconds = std::atof(value);
    else if (name == "--slow")
      options.slow = std::atof(value);
    else if (name == "--timeout")
      options.pace.timeout_seconds = std::atof(value);
    else if (name == "--seed")
      options.seed = std::strtoull(value, nullptr, 10);
    else if (name == "--mix")
      options.mix = value;
    else if (name == "--list")
      options.list = value;
    else
      return false;
  }
  return options.pace.per_second > 0 && (options.mix == "all" || only(options.mix));
}

bool parse_address(const std::string& text, sockaddr_in& address) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1)));
  return inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) == 1;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  sockaddr_in target{};
  if (!parse(count, words, options) || !parse_address(options.target, target) || sodium_init() < 0) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> list(nullptr, std::fclose);
  if (!options.list.empty()) {
    list.reset(std::fopen(options.list.c_str(), "we"));
    if (!list) {
      fmt::print(stderr, "{}: {}\n", options.list, std::strerror(errno));
      return 2;
    }
  }
  load::Mix mix(options.host, options.slow, options.seed, only(options.mix));
  load::Report report(list.get());
  try {
    load::Client(target, mix, report, options.pace).run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "load: {}\n", error.what());
    return 2;
  }
  fmt::print("{}\n", report.json());
  return report.failures() == 0 ? 0 : 1;
}
