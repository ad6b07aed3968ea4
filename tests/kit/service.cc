// A service on the kit with everything that its tests ask for; tests/kit drives it.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "kit/kit.h"

using namespace holdall;
using namespace std::chrono_literals;

namespace {

struct Settings {
  net::Url backend;
  std::chrono::milliseconds patience;
  std::string files;
  std::int64_t queued;
};
constexpr kit::Setting<Settings> kSettings[] = {
    {"BACKEND", &Settings::backend, "http://127.0.0.1:1/", "what the health check asks"},
    {"PATIENCE", &Settings::patience, "500ms", "the health check's timeout"},
    {"FILES", &Settings::files, ".", "static files"},
    {"QUEUED", &Settings::queued, "0", "requests that wait for one of four threads"},
};

struct Needs {
  std::string name;
  Secret key;
  std::int64_t count;
  bool loud;
  net::Url url;
};
constexpr kit::Setting<Needs> kNeeds[] = {
    {"NAME", &Needs::name, kit::required, "whom to greet"},
    {"KEY", &Needs::key, kit::required, "the key of the API"},
    {"COUNT", &Needs::count, "3", "how often"},
    {"LOUD", &Needs::loud, "false", "in capitals"},
    {"URL", &Needs::url, kit::required, "the API"},
};

/// Requests that wait until another one lets them go.
class Gate {
 public:
  net::Response wait() {
    std::unique_lock lock(mutex_);
    std::uint64_t seen = opened_;
    changed_.wait(lock, [&] { return opened_ != seen; });
    return kit::text("gone through");
  }
  net::Response open() {
    std::lock_guard lock(mutex_);
    ++opened_;
    changed_.notify_all();
    return kit::text("open");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t opened_ = 0;
};

std::vector<kit::Finding> ask(const net::Url& backend, Deadline deadline) {
  net::ClientResponse answer = fetch(backend, {}, deadline);
  if (answer.body == "warn") return {{kit::Level::warning, "service.W001", "the backend is worn"}};
  if (answer.status != 200) throw Error(Error::failed, fmt::format("the backend says {}", answer.status));
  return {};
}

int web(kit::Service& service, const Settings& settings) {
  Gate gate;
  service.health().add(
      "backend", [&](Deadline deadline) { return ask(settings.backend, deadline); }, settings.patience);
  service.health().add("itself", [](Deadline) { return std::vector<kit::Finding>(); });
  return service.serve(
      {
          {"GET", "/hello", [](net::Request&) { return kit::text("hello"); }},
          {"GET", "/items/*",
           [](net::Request& request) {
             log::info("item.asked", "binary \xff\x01 and\nlines",
                       Json::object(
                           {{"item", request.parameters[0]}, {"empty", Json::array()}, {"none", nullptr}}));
             return net::json_response(Json::object({{"item", request.parameters[0]}}));
           }},
          {"POST", "/form",
           [](net::Request& request) {
             return kit::html(fmt::format("<p>{}</p>", kit::escape_html(kit::form(request).at("text"))));
           }},
          {"POST", "/json", [](net::Request& request) { return net::json_response(request.json()); }},
          {"GET", "/away", [](net::Request&) { return kit::redirect("/hello"); }},
          {"GET", "/who",
           [](net::Request& request) {
             request.log_fields["uid"] = "ada";
             request.log_fields["context"] = "test";
             request.log_fields["method"] = "not mine to say";
             return kit::text("ada");
           }},
          {"GET", "/throw",
           [](net::Request&) -> net::Response { throw std::runtime_error("thrown: \xfe\n{}"); }},
          {"GET", "/throw-int", [](net::Request&) -> net::Response { throw 7; }},
          {"GET", "/bug", [](net::Request&) -> net::Response { throw Error(Error::broken, "a bug"); }},
          {"GET", "/missing",
           [](net::Request&) -> net::Response { throw Error(Error::missing, "no such thing"); }},
          {"GET", "/split",
           [](net::Request&) {
             net::Response out = kit::text("x");
             out.headers.emplace_back("X-Note", "a\r\nSet-Cookie: b");
             return out;
           }},
          {"GET", "/wait", [&](net::Request&) { return gate.wait(); }},
          {"POST", "/open", [&](net::Request&) { return gate.open(); }, net::Lane::loop},
          kit::static_files("/files", settings.files),
      },
      {.threads = 4, .queued = static_cast<std::size_t>(settings.queued)});
}

/// URL MILLISECONDS [CA-FILE]: what `fetch` says.
int fetch_once(kit::Service& service) {
  const auto& arguments = service.arguments();
  try {
    net::ClientResponse answer =
        fetch(net::parse_url(arguments.at(0)), {},
              Deadline::after(std::chrono::milliseconds(std::stoi(arguments.at(1)))),
              {.largest_body = 1 << 20, .ca_file = arguments.size() > 2 ? arguments[2] : ""});
    fmt::print("{} {}\n", answer.status, answer.body);
  } catch (const Error& error) {
    fmt::print("{}: {}\n", name(error.kind()), error.what());
  }
  return 0;
}

int needs(kit::Service& service, const Needs& settings) {
  fmt::print("{} {} {} {} {} {}\n", settings.name, settings.key.size(), settings.count, settings.loud,
             text(settings.url), fmt::join(service.arguments(), "|"));
  return 0;
}

int robot(kit::Service& service) {
  int rounds = 0;
  do log::info("robot.round", "", Json::object({{"round", ++rounds}}));
  while (service.wait(20ms));
  return 0;
}

int fail(kit::Service&) { throw Error(Error::conflict, "it is so"); }
int surprise(kit::Service&) { throw std::out_of_range("nobody caught this"); }
int crash(kit::Service&) {
  std::thread([] { throw std::runtime_error("in a thread of its own"); }).join();
  return 0;
}
int hang(kit::Service& service) {
  while (service.wait(1h)) {
  }
  std::this_thread::sleep_for(1h);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return kit::run("service",
                  {{"web", "serve", web, kSettings},
                   {"fetch", "fetch a URL once", fetch_once},
                   {"needs", "show what was configured", needs, kNeeds},
                   {"robot", "work until it is stopped", robot},
                   {"fail", "throw an Error", fail},
                   {"surprise", "throw what nobody expects", surprise},
                   {"crash", "throw in a thread", crash},
                   {"hang", "do not stop", hang}},
                  argc, argv,
                  {.version = R"({"version": "1.0", "source": "", "commit": "4f2a91c", "build": ""})"});
}
