#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "account.h"
#include "base/guarded.h"
#include "base/tasks.h"
#include "board.h"
#include "kit/kit.h"
#include "page.h"
#include "robot.h"

namespace {

using namespace boredbot;
using namespace std::chrono_literals;
using holdall::Deadline;
using holdall::Json;
using holdall::Secret;
namespace kit = holdall::kit;
namespace log = holdall::log;
namespace net = holdall::net;

// ---- robot

struct RobotSettings {
  net::Url url;
  std::string application;
  Secret key;
};

constexpr kit::Setting<RobotSettings> kRobotSettings[] = {
    {"PARSE_URL", &RobotSettings::url, kit::required, "the API, up to what stands before /classes"},
    {"PARSE_APPLICATION_ID", &RobotSettings::application, kit::required, "application that has the lines"},
    {"PARSE_REST_API_KEY", &RobotSettings::key, kit::required, "its key"},
};

bool rest(const std::stop_token& stop, std::chrono::nanoseconds span) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, span, [] { return false; });
  return !stop.stop_requested();
}

int run_robot(kit::Service& service, const RobotSettings& settings) {
  const Account account("robot", settings.url, settings.application, Secret(settings.key.view()));
  holdall::Guarded<std::string> fault;  // of what was said last; empty: it was heard
  service.health().add("parse", [&](Deadline) -> std::vector<kit::Finding> {
    const std::string last = *fault.lock();
    if (last.empty()) return {};
    return {{kit::Level::error, "boredbot.E001", last}};
  });

  holdall::TaskGroup speaking;
  speaking.start("robot", [&](const std::stop_token& stop) {
    Robot{.say =
              [&] {
                account.create("lines", Json::object({{"status", "I'm bored"}}), Deadline::after(5s));
                *fault.lock() = "";
                log::info("robot.said", "");
              },
          .rest = [&](std::chrono::seconds span) { return rest(stop, span); },
          .complain =
              [&](const holdall::Error& error, std::chrono::seconds again) {
                *fault.lock() = error.what();
                log::warning("robot.unheard", error.what(), Json::object({{"again_in_s", again.count()}}));
              }}
        .run();
  });
  return service.serve({});
}

// ---- web

struct WebSettings {
  net::Url lines_url, moods_url;
  std::string lines_application, moods_application, colour, release, instance;
  Secret lines_key, moods_key;
};

constexpr kit::Setting<WebSettings> kWebSettings[] = {
    {"PARSE_URL", &WebSettings::lines_url, kit::required, "the API, up to what stands before /classes"},
    {"PARSE_APPLICATION_ID", &WebSettings::lines_application, kit::required,
     "application that has the lines"},
    {"PARSE_REST_API_KEY", &WebSettings::lines_key, kit::required, "its key"},
    {"STATE_URL", &WebSettings::moods_url, kit::required, "the API that has the mood"},
    {"STATE_APPLICATION_ID", &WebSettings::moods_application, kit::required, "application that has the mood"},
    {"STATE_REST_API_KEY", &WebSettings::moods_key, kit::required, "its key"},
    {"MOOD_COLOUR", &WebSettings::colour, "grey", "colour of the mood: a CSS name or #hex"},
    {"HOLDALL_RELEASE", &WebSettings::release, "", "what the page calls itself"},
    {"HOLDALL_INSTANCE", &WebSettings::instance, "", "and this copy of it"},
};

// A page of lines, and one mood more than there may be.
constexpr int kLines = 20, kMoods = 2;

BoardKeeper::Ask newest(const Account& account, const char* kind, const char* order, const char* field,
                        int limit) {
  return [=, &account](Deadline deadline) {
    std::vector<Row> rows;
    for (const Json& row : account.newest(kind, order, limit, deadline)) rows.push_back(row_of(row, field));
    return rows;
  };
}

int run_web(kit::Service& service, const WebSettings& settings) {
  const Account lines("robot", settings.lines_url, settings.lines_application,
                      Secret(settings.lines_key.view()));
  const Account moods("mood", settings.moods_url, settings.moods_application,
                      Secret(settings.moods_key.view()));
  BoardKeeper board(newest(lines, "lines", "createdAt", "status", kLines),
                    newest(moods, "current", "updatedAt", "feeling", kMoods), holdall::system_clock());
  // The page is served without the API too, so that its absence is a warning.
  service.health().add("parse", [&](Deadline deadline) {
    std::vector<kit::Finding> findings;
    const Board seen = board.read(deadline);
    for (const Said* said : {&seen.lines, &seen.moods}) {
      if (!said->fault.empty()) findings.push_back({kit::Level::warning, "boredbot.W001", said->fault});
    }
    return findings;
  });
  const Look look{.colour = settings.colour, .release = settings.release, .instance = settings.instance};
  return service.serve({{"GET", "/", [&](net::Request&) {
                           net::Response response = kit::html(page(board.read(Deadline::after(3s)), look));
                           response.headers.emplace_back("Content-Security-Policy",
                                                         "default-src 'none'; style-src 'unsafe-inline'");
                           response.headers.emplace_back("X-Release", settings.release);
                           return response;
                         }}});
}

}  // namespace

int main(int argc, char** argv) {
  return kit::run("boredbot",
                  {{"robot", "says every ten seconds that it is bored", run_robot, kRobotSettings},
                   {"web", "shows what it said and how it feels", run_web, kWebSettings}},
                  argc, argv);
}
