#include "cli/server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "net/fake.h"
#include "net/socket.h"
#include "net/sse.h"
#include "wire/wire.h"

using namespace holdall;
using namespace holdall::cli;

namespace {

/// Sends these bytes and ends.
class Words final : public net::StreamSource {
 public:
  explicit Words(std::string bytes) : bytes_(std::move(bytes)) {}
  void start(std::function<void()>) override {}
  std::optional<std::string> next() override {
    if (bytes_.empty()) return std::nullopt;
    return std::exchange(bytes_, "");
  }

 private:
  std::string bytes_;
};

net::Response events(std::string bytes) {
  net::Response response{.content_type = "text/event-stream", .body = {}, .headers = {}, .stream = {}};
  response.stream = std::make_unique<Words>(std::move(bytes));
  return response;
}

net::Route get(const std::string& path, net::Handler handler) { return {"GET", path, std::move(handler)}; }

}  // namespace

TEST_CASE("an error that the server answers is thrown as it was there") {
  net::ServerThread thread(
      {get("/x", [](net::Request&) -> net::Response { throw Error(Error::conflict, "in the way"); })});
  Server server(thread.address());
  try {
    server.get("/x");
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::conflict);
    CHECK(std::string(error.what()) == "in the way");
  }
  CHECK_FALSE(server.find("/nowhere").has_value());
}

TEST_CASE("where nobody listens, the remedy is named at once") {
  Server server({.host = "", .port = 0, .path = "/tmp/holdall-nobody.sock"});
  CHECK_THROWS_WITH_AS(server.get("/x"), doctest::Contains("start one with `holdall serve`"), Error);
}

TEST_CASE("a server of another API is refused with the remedy") {
  net::ServerThread thread({get("/x", [](net::Request&) {
    net::Response response = net::json_response(Json::object());
    response.headers.emplace_back(wire::kServerHeader, "9.0.0");
    return response;
  })});
  Server server(thread.address());
  CHECK_THROWS_WITH_AS(server.get("/x"), doctest::Contains("do not speak the same API"), Error);
}

TEST_CASE("a stream that is cut goes on after the last event that was seen") {
  std::atomic<int> asked = 0;
  std::vector<std::string> last_ids;
  net::ServerThread thread({get("/events", [&](net::Request& request) {
    last_ids.emplace_back(request.header("Last-Event-ID"));
    if (++asked == 1) return events(net::sse_event("step", Json::object({{"n", 1}}), "1"));
    return events(net::sse_event("step", Json::object({{"n", 2}}), "2"));
  })});
  Server server(thread.address());
  std::vector<std::int64_t> seen;
  server.events(
      "GET", [] { return std::string("/events"); }, true,
      [&](const Server::Event& event) {
        seen.push_back(event.data.at("n").integer());
        return seen.size() < 2;
      });
  CHECK(seen == std::vector<std::int64_t>{1, 2});
  CHECK(last_ids == std::vector<std::string>{"", "1"});
}

TEST_CASE("a server that is started again answers what was asked while it was away") {
  auto answer = [](net::Request&) { return net::json_response(Json::object({{"ok", true}})); };
  net::ServerThread first({get("/x", answer)});
  Server server(first.address());
  server.get("/x");
  first.stop();
  std::filesystem::remove(first.address().path);
  bool answered = false;
  std::thread client([&] { answered = server.get("/x").at("ok").boolean(); });
  // The next one listens at the same place, as control does.
  net::Server second({get("/x", answer)}, {});
  second.add_listener({net::listen(first.address())});
  std::thread loop([&] { second.run(); });
  client.join();
  second.stop();
  loop.join();
  CHECK(answered);
}

TEST_CASE("what a callback throws ends the stream and is no reason to ask again") {
  std::atomic<int> asked = 0;
  net::ServerThread thread({get("/events", [&](net::Request&) {
    ++asked;
    return events(net::sse_event("step", Json::object(), "1"));
  })});
  Server server(thread.address());
  auto target = [] { return std::string("/events"); };
  auto each = [](const Server::Event&) -> bool { throw Error(Error::failed, "of its own"); };
  CHECK_THROWS_WITH_AS(server.events("GET", target, true, each), "of its own", Error);
  CHECK(asked == 1);
}
