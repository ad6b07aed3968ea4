#include "release/release.h"

#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

TEST_CASE("a first release starts, goes live and is done") {
  House house;
  const int number = house.deploy(house.web("grey", 2));
  CHECK(kinds(house.follow_to(number, "done")) ==
        Strings{"plan", "start", "ready", "ready", "switch", "live", "done"});
  const Release release = house.releases->get("hello", number);
  CHECK(release.step == Step::live);
  CHECK(release.serving);
  CHECK(release.finished.has_value());
  CHECK(house.targets() == Strings{"hello/web@v1#1", "hello/web@v1#2"});
  CHECK(house.fake_router.last_table().routes ==
        std::vector<router::Route>{{"hello.localhost", "/", false, "hello/web"}});
}

TEST_CASE("a second release replaces the first, whose instances are stopped after the switch and the drain") {
  House house;
  house.run(house.web("grey"));
  const Release second = house.run(house.web("green"));
  CHECK(second.step == Step::live);
  CHECK(house.targets() == Strings{"hello/web@v2#1"});
  CHECK(house.fake_router.last_table().pools.at(0).targets.at(0).release == "hello/v2");
  REQUIRE(house.fake_router.drains().size() == 1);
  CHECK(house.fake_router.drains()[0].targets == std::vector<InstanceId>{{"hello/web@v1#1"}});
  CHECK(house.supervisor.calls() == Strings{"want hello/web@v1", "loosely hello/web@v1", "want hello/web@v2",
                                            "loosely hello/web@v2", "unwant hello/web@v1"});
  CHECK_FALSE(house.releases->get("hello", 1).serving);
}

TEST_CASE("between the old and the new there is no table without a target") {
  House house;
  house.run(house.web("grey"));
  const std::size_t before = house.fake_router.tables().size();
  house.run(house.web("green"));
  const auto tables = house.fake_router.tables();
  for (std::size_t i = before; i < tables.size(); ++i) CHECK(tables[i].pools.at(0).targets.size() == 1);
}

TEST_CASE("a deploy that changes nothing makes no release, unless it is forced") {
  House house;
  house.run(house.web("grey"));
  CHECK_FALSE(house.releases->deploy(house.web("grey")).has_value());
  CHECK(house.releases->list("hello").size() == 1);
  Request forced = house.web("grey");
  forced.force = true;
  CHECK(house.run(forced).number == 2);
}

TEST_CASE("a release keeps the services that did not change, and stops those that are gone") {
  House house;
  const std::string db = R"("db": {"command": ["db"]})";
  const std::string old = R"("old": {"command": ["old"]})";
  const auto web = [](const std::string& mood) {
    return R"("web": {"command": ["serve"], "environment": {"MOOD": ")" + mood + R"("}})";
  };
  Request first = house.request(db + "," + old + "," + web("grey"));
  Request second = house.request(db + "," + web("green"));
  first.development = second.development = true;
  house.run(first);
  house.run(second);
  CHECK(house.wanted() == Strings{"hello/db@v1", "hello/web@v2"});
}

TEST_CASE("a version that exits before it is ready never gets a request, and the old one serves on") {
  House house;
  house.options.last_lines = [](const supervise::InstanceStatus& instance) {
    return Strings{"last words of " + instance.id.value};
  };
  house.restart();
  house.run(house.web("grey"));
  house.supervisor.begins("web", Health::waiting, "exited with code 3, 120 ms after start");
  const int number = house.deploy(house.web("green"));
  const auto events = house.follow_to(number, "failed");
  const Release failed = house.releases->get("hello", number);
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "web.1 exited with code 3, 120 ms after start");
  const Json& data = events.back().data;
  CHECK(data.at("kept") == Json("v1"));
  CHECK(failed.report.at("phases").items().at(1).at("name") == Json("start"));
  CHECK(data.at("start_ms") == failed.report.at("phases").items().at(1).at("ms"));
  CHECK(data.at("instance") == Json("hello/web@v2#1"));
  CHECK(data.at("lines") == Json::array({"last words of hello/web@v2#1"}));
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  CHECK(house.releases->get("hello", 1).serving);
  for (const auto& table : house.fake_router.tables()) {
    for (const auto& pool : table.pools) {
      for (const auto& target : pool.targets) CHECK(target.release == "hello/v1");
    }
  }
}

TEST_CASE("an instance that fails while others still start fails the release at once") {
  House house;
  house.supervisor.begins("web", Health::starting);
  const int number = house.deploy(house.web("grey", 3));
  house.follow_to(number, "start");
  house.supervisor.set({"hello/web@v1"}, 2, Health::failed,
                       "listens on 127.0.0.1:3000, expected 0.0.0.0:41873 ($PORT)");
  CHECK(house.finish(number).reason == "web.2 listens on 127.0.0.1:3000, expected 0.0.0.0:41873 ($PORT)");
  CHECK(house.wanted().empty());
}

TEST_CASE("the last lines of a failed release are those of the try that ended, not of the one after it") {
  House house;
  house.supervisor.begins("web", Health::starting);
  const int number = house.deploy(house.web("grey"));
  house.follow_to(number, "start");
  house.supervisor.restart({"hello/web@v1"}, 1);
  const auto events = house.follow_to(number, "failed");
  CHECK(events.back().data.at("instance") == Json("hello/web@v1#1"));
}

TEST_CASE("a one-shot that exits 0 is done, and what waits for its end starts then") {
  House house;
  house.supervisor.begins("init", Health::ready);
  Request wanted = house.request(
      R"("init": {"command": ["init"]},
         "web": {"command": ["serve"], "deploy": {"update_config": {"monitor": "0s"}},
                 "depends_on": {"init": {"condition": "service_completed_successfully"}}})");
  wanted.development = true;
  const int number = house.deploy(wanted);
  house.follow_to(number, "start");
  CHECK(house.supervisor.calls() == Strings{"want hello/init@v1"});
  house.supervisor.set({"hello/init@v1"}, 1, Health::completed);
  CHECK(house.finish(number).step == Step::live);
  CHECK(house.supervisor.calls()[1] == "want hello/web@v1");
}

TEST_CASE(
    "a service that needs another healthy starts when it is, and one that needs it started does not wait") {
  House house;
  house.supervisor.begins("db", Health::starting);
  Request wanted = house.request(
      R"("db": {"command": ["db"], "x-holdall": {"port": 5432}},
         "eager": {"command": ["eager"], "depends_on": {"db": {"condition": "service_started"}}},
         "web": {"command": ["serve"], "depends_on": {"db": {"condition": "service_healthy"}}})");
  wanted.development = true;
  const int number = house.deploy(wanted);
  house.follow_to(number, "ready");
  CHECK(house.supervisor.calls() == Strings{"want hello/db@v1", "want hello/eager@v1"});
  house.supervisor.set({"hello/db@v1"}, 1, Health::ready);
  CHECK(house.finish(number).step == Step::live);
}

TEST_CASE("a version that turns unready in the watch is taken back by one publish of the old table") {
  House house;
  house.run(house.web("grey"));
  const int number = house.deploy_to_watch("green");
  CHECK(house.targets() == Strings{"hello/web@v2#1"});
  house.supervisor.set({"hello/web@v2"}, 1, Health::unready, "GET /up answered 500, expected 200-399");
  const Release failed = house.finish(number);
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "web.1 GET /up answered 500, expected 200-399");
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  CHECK(house.releases->status("hello").serving->number == 1);
}

TEST_CASE("a version that is started again in the watch has failed, ready or not") {
  House house;
  const int number = house.deploy_to_watch("green");
  house.supervisor.restart({"hello/web@v1"}, 1);
  CHECK(house.finish(number).step == Step::failed);
  CHECK_FALSE(house.releases->status("hello").serving.has_value());
  CHECK(house.fake_router.last_table().routes.empty());
}

TEST_CASE("the old instances run until the watch is over") {
  House house;
  house.run(house.web("grey"));
  const int number = house.deploy_to_watch("green");
  house.clock.advance(std::chrono::milliseconds(9'999));
  CHECK(house.wanted() == Strings{"hello/web@v1", "hello/web@v2"});
  house.clock.advance(std::chrono::milliseconds(1));
  CHECK(house.finish(number).step == Step::live);
  CHECK(house.wanted() == Strings{"hello/web@v2"});
}

TEST_CASE("a second deploy meanwhile is a conflict that names who, what and since when") {
  House house;
  house.supervisor.begins("web", Health::starting);
  const int number = house.deploy(house.web("grey"));
  house.follow_to(number, "start");
  house.clock.advance(std::chrono::milliseconds(3'200));
  CHECK_THROWS_WITH_AS(
      house.releases->deploy(house.web("green")),
      "release v1 of hello is in progress: started by uid 0 (root) 3.2 s ago, now in step start", Error);
  CHECK(house.releases->list("hello").size() == 1);
}

TEST_CASE("the same key gives the same release") {
  House house;
  Request wanted = house.web("grey");
  wanted.key = "k1";
  const int number = house.deploy(wanted);
  CHECK(house.deploy(wanted) == number);
  house.finish(number);
  CHECK(house.deploy(wanted) == number);
}

TEST_CASE("two apps go live beside each other, and neither may claim the other's host") {
  House house;
  house.run(house.web("grey"));
  Request other =
      house.request(R"("web": {"command": ["serve"], "deploy": {"update_config": {"monitor": "0s"}},
                                           "x-holdall": {"route": "other.localhost"}})",
                    "other");
  CHECK(house.finish(house.deploy(other), "other").step == Step::live);
  CHECK(house.fake_router.last_table().routes.size() == 2);
  Request thief =
      house.request(R"("web": {"command": ["serve"], "x-holdall": {"route": "hello.localhost"}})", "thief");
  CHECK_THROWS_WITH_AS(house.releases->deploy(thief), "host hello.localhost is already routed to app 'hello'",
                       Error);
  CHECK(house.releases->apps() == Strings{"hello", "other"});
}

TEST_CASE("an address that is in use fails the release before anything starts, and says so") {
  House house;
  house.run(house.web("grey"));
  house.fake_router.take_address({"", 5432, {}});
  Request wanted = house.request(
      R"("web": {"command": ["serve"], "ports": [{"mode": "ingress", "target": 80, "published": "5432", "protocol": "tcp"}]})");
  const Release failed = house.run(wanted);
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "address :5432 is in use");
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
}

TEST_CASE("a router that does not take the new table leaves the old release serving") {
  House house;
  house.run(house.web("grey"));
  house.fake_router.fail_next_publish(Error(Error::busy, "the router does not answer"));
  const Release failed = house.run(house.web("green"));
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "the router does not answer");
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
  CHECK(house.releases->status("hello").serving->number == 1);
}

TEST_CASE("a cancel before the switch takes the release back; after it, it is a conflict") {
  House house;
  house.run(house.web("grey"));
  CHECK_THROWS_WITH_AS(house.releases->cancel("hello", "uid 0 (root)"), "no release of hello is in progress",
                       Error);
  house.supervisor.begins("web", Health::starting);
  const int number = house.deploy(house.web("green"));
  house.follow_to(number, "start");
  house.releases->cancel("hello", "uid 0 (root)");
  const Release cancelled = house.finish(number);
  CHECK(cancelled.step == Step::failed);
  CHECK(cancelled.reason == "cancelled by uid 0 (root)");
  CHECK(house.wanted() == Strings{"hello/web@v1"});

  house.supervisor.begins("web", Health::ready);
  const int late = house.deploy_to_watch("blue");
  CHECK_THROWS_AS(house.releases->cancel("hello", "uid 0 (root)"), Error);
  house.clock.advance(std::chrono::seconds(10));
  CHECK(house.finish(late).step == Step::live);
}

TEST_CASE("a rollback is a new release of the one that served before") {
  House house;
  house.run(house.web("grey"));
  house.run(house.web("green"));
  const Release back = house.releases->rollback("hello", std::nullopt, "uid 7 (eve)");
  CHECK(back.number == 3);
  CHECK(back.rollback_of == 1);
  CHECK(back.by == "uid 7 (eve)");
  CHECK(house.finish(3).step == Step::live);
  CHECK(house.releases->model("hello", 3) == house.releases->model("hello", 1));
  CHECK(house.targets() == Strings{"hello/web@v3#1"});
}

TEST_CASE("a rollback that is asked for again with its key is the same release, whatever serves by then") {
  House house;
  house.run(house.web("grey"));
  house.run(house.web("green"));
  CHECK(house.releases->rollback("hello", std::nullopt, "", "k1").number == 3);
  CHECK(house.releases->rollback("hello", std::nullopt, "", "k1").number == 3);
  house.finish(3);
  CHECK(house.releases->rollback("hello", std::nullopt, "", "k1").number == 3);
  CHECK(house.releases->list("hello").size() == 3);
}

TEST_CASE("there is no rollback to what serves, what failed, what never was, or without a past") {
  House house;
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", std::nullopt, ""), "no app 'hello'", Error);
  house.run(house.web("grey"));
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", std::nullopt, ""),
                       "no release of hello served before v1", Error);
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", 1, ""), "v1 of hello serves already", Error);
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", 9, ""), "hello has no release v9", Error);
  house.supervisor.begins("web", Health::failed, "exited with code 1");
  house.run(house.web("green"));
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", 2, ""),
                       "v2 of hello never served: web.1 exited with code 1", Error);
}

TEST_CASE("an artefact that is not there is missing, by service") {
  House house;
  Request wanted = house.web("grey");
  wanted.artefacts["web"] = {"sha256:0000"};
  CHECK_THROWS_WITH_AS(house.releases->deploy(wanted),
                       "artefact sha256:0000 of service web is not here; send its build context again",
                       Error);
  CHECK(house.releases->apps().empty());
}

TEST_CASE("artefacts of the last ten releases are kept, and that of the serving one") {
  House house;
  Request first = house.web("grey");
  first.artefacts["web"] = house.artefact("first");
  house.run(first);
  for (int i = 0; i < 10; ++i) {
    Request next = house.web("grey");
    next.artefacts["web"] = house.artefact("next " + std::to_string(i));
    house.run(next);
  }
  CHECK_FALSE(house.engine.has(first.artefacts.at("web")));
  CHECK_THROWS_AS(house.releases->rollback("hello", 1, ""), Error);
  CHECK(house.releases->rollback("hello", 2, "").number == 12);
  house.finish(12);
}

TEST_CASE("a report tells what the router counted from the switch to the end") {
  House house;
  router::Counters counters;
  counters.epoch = "e1";
  counters.releases["hello/v1"] = {.served = 100, .failed = {{"connect", 2}}};
  counters.releases["other/v1"] = {.served = 50, .failed = {}};
  house.fake_router.set_counters(counters);
  house.fake_router.next_drain({.complete = true, .cut = 0, .finished = 4});
  house.run(house.web("grey"));
  house.fake_router.on_publish([&](const router::RouteTable&) {
    router::Counters later = counters;
    later.releases["hello/v1"] = {.served = 104, .failed = {{"connect", 2}}};
    later.releases["hello/v2"] = {.served = 7, .failed = {{"closed", 1}}};
    later.releases["other/v1"].served = 60;
    house.fake_router.set_counters(later);
  });
  const Release second = house.run(house.web("green"));
  const Json& requests = second.report.at("requests");
  CHECK(requests.at("served") == Json(11));
  CHECK(requests.at("failed") == Json(1));
  CHECK(requests.at("releases").at("hello/v1").at("served") == Json(4));
  CHECK(requests.at("releases").at("hello/v1").at("failed") == Json::object());
  CHECK(requests.at("releases").at("hello/v2").at("failed") == Json::object({{"closed", 1}}));
  CHECK(requests.at("releases").find("other/v1") == nullptr);
  CHECK(second.report.at("drain").at("finished") == Json(4));
}

TEST_CASE("a report adds up what a router counted and what the one that replaced it did") {
  House house;
  router::Counters counters;
  counters.epoch = "e2";
  counters.earlier = {{.epoch = "e1", .releases = {{"hello/v1", {.served = 10}}}, .ended = true}};
  counters.releases["hello/v1"] = {.served = 100, .failed = {{"connect", 2}}};
  house.fake_router.set_counters(counters);
  house.run(house.web("grey"));
  house.fake_router.on_publish([&](const router::RouteTable&) {
    router::Counters later;
    later.epoch = "e3";
    later.earlier = counters.earlier;
    later.earlier.push_back({.epoch = "e2",
                             .releases = {{"hello/v1", {.served = 104, .failed = {{"connect", 3}}}}},
                             .ended = true});
    later.releases["hello/v2"] = {.served = 7, .failed = {}};
    house.fake_router.set_counters(later);
  });
  const Json requests = house.run(house.web("green")).report.at("requests");
  CHECK(requests.at("served") == Json(11));
  CHECK(requests.at("failed") == Json(1));
}

TEST_CASE("a router that restarted makes the figures unknown, never zero") {
  House house;
  house.run(house.web("grey"));
  house.fake_router.on_publish([&](const router::RouteTable&) {
    router::Counters other;
    other.epoch = "e2";
    other.started = wall_time(1'795'220'826'123'000'000);
    house.fake_router.set_counters(other);
  });
  const Json requests = house.run(house.web("green")).report.at("requests");
  CHECK(requests == Json::object({{"unknown", "router restarted at 2026-11-21T00:27:06.123Z"}}));
}

TEST_CASE("a report has every phase and every new instance") {
  House house;
  const Json report = house.run(house.web("grey", 2)).report;
  Strings phases;
  for (const Json& phase : report.at("phases").items()) phases.push_back(phase.at("name").string());
  CHECK(phases == Strings{"planned", "start", "switch", "drain", "watch", "stop"});
  CHECK(report.at("instances").items().size() == 2);
  CHECK(report.at("overhead_ms") == Json(0.0));
  CHECK(report.find("marks") == nullptr);
}

TEST_CASE("destroying an app stops its services before what they depend on, and forgets it") {
  House house;
  Request wanted = house.request(
      R"("db": {"command": ["db"]},
         "web": {"command": ["serve"], "depends_on": {"db": {"condition": "service_started"}},
                 "x-holdall": {"route": "hello.localhost"}})");
  wanted.development = true;
  house.run(wanted);
  house.releases->destroy("hello", Deadline::after(std::chrono::seconds(20)));
  const Strings calls = house.supervisor.calls();
  CHECK(Strings(calls.end() - 2, calls.end()) == Strings{"unwant hello/web@v1", "unwant hello/db@v1"});
  CHECK(house.fake_router.last_table().routes.empty());
  CHECK(house.releases->apps().empty());
  CHECK_THROWS_WITH_AS(house.releases->list("hello"), "no app 'hello'", Error);
  CHECK(house.run(house.web("grey")).number == 1);
}

TEST_CASE("a destruction that takes too long is busy, and goes on when control comes back") {
  House house;
  house.run(house.web("grey"));
  house.supervisor.keep_stopping(true);
  CHECK_THROWS_WITH_AS(house.releases->destroy("hello", Deadline::after(std::chrono::milliseconds(20))),
                       "hello is still being stopped; call again to wait on", Error);
  CHECK_THROWS_WITH_AS(house.releases->deploy(house.web("green")),
                       "hello is being destroyed; deploy it again afterwards", Error);
  house.restart();
  house.supervisor.vanish({"hello/web@v1"});
  try {
    house.releases->destroy("hello", Deadline::after(std::chrono::seconds(20)));
  } catch (const Error& error) {
    CHECK(error.kind() == Error::missing);  // it was done before we asked
  }
  CHECK(house.releases->apps().empty());
}

TEST_CASE("a first release that is taken back is stopped, counts as failed, and the next one is as a first") {
  House house;
  house.run(house.web("grey"));
  const auto soon = [] { return Deadline::after(std::chrono::seconds(20)); };
  CHECK_THROWS_WITH_AS(house.releases->withdraw("hello", 2, "alice", soon()), "hello has no release v2",
                       Error);
  house.releases->withdraw("hello", 1, "alice", soon());
  CHECK(house.fake_router.last_table().routes.empty());
  CHECK(house.wanted().empty());
  CHECK(house.releases->get("hello", 1).step == Step::failed);
  CHECK(house.releases->get("hello", 1).reason == "taken back by alice");
  CHECK_FALSE(house.releases->status("hello").serving.has_value());
  CHECK_THROWS_WITH_AS(house.releases->rollback("hello", 1, "alice"), "no release of hello serves", Error);
  house.releases->withdraw("hello", 1, "alice", soon());  // as a retry does

  CHECK(house.run(house.web("green")).number == 2);
  CHECK(house.wanted() == Strings{"hello/web@v2"});
  CHECK(house.run(house.web("blue")).number == 3);
  CHECK_THROWS_WITH_AS(house.releases->withdraw("hello", 2, "alice", soon()), "v2 of hello does not serve",
                       Error);
  CHECK_THROWS_WITH_AS(house.releases->withdraw("hello", 3, "alice", soon()),
                       "v3 of hello took the place of v2: roll back to that", Error);
}

TEST_CASE("a first release that was being taken back when control died is taken back by the next one") {
  House house;
  house.run(house.web("grey"));
  house.supervisor.keep_stopping(true);
  CHECK_THROWS_WITH_AS(
      house.releases->withdraw("hello", 1, "alice", Deadline::after(std::chrono::milliseconds(20))),
      "hello is still being stopped; call again to wait on", Error);
  house.restart();
  house.supervisor.vanish({"hello/web@v1"});
  house.releases->withdraw("hello", 1, "alice", Deadline::after(std::chrono::seconds(20)));
  CHECK(house.releases->get("hello", 1).step == Step::failed);
  CHECK(house.wanted().empty());
}

TEST_CASE("an app with a release in progress is not destroyed") {
  House house;
  house.supervisor.begins("web", Health::starting);
  house.follow_to(house.deploy(house.web("grey")), "start");
  CHECK_THROWS_AS(house.releases->destroy("hello", Deadline::never()), Error);
}

TEST_CASE("in development there is no watch") {
  House house;
  Request wanted =
      house.request(R"("web": {"command": ["serve"], "x-holdall": {"route": "shop.example.com"}})");
  wanted.development = true;
  const int number = house.deploy(wanted);
  CHECK(kinds(house.follow_to(number, "done")) ==
        Strings{"plan", "start", "ready", "switch", "live", "done"});
  CHECK(house.releases->status("hello").urls ==
        Strings{"http://hello.localhost:8080/", "http://web.hello.localhost:8080/"});
}

TEST_CASE("status tells what serves, what moves and which release each instance is of") {
  House house;
  house.run(house.web("grey"));
  house.supervisor.begins("web", Health::starting);
  house.follow_to(house.deploy(house.web("green")), "start");
  const AppStatus status = house.releases->status("hello");
  CHECK(status.serving->number == 1);
  CHECK(status.moving->number == 2);
  CHECK(status.instances.size() == 2);
  CHECK(status.release_of_group.at("hello/web@v2") == "v2");
}

TEST_CASE("an instance that was replaced is drained once it is out of the table, and then let go") {
  House house;
  house.run(house.web("grey"));
  const std::size_t drains = house.fake_router.drains().size();
  house.supervisor.replace({"hello/web@v1"}, 1, house.clock.now() + std::chrono::seconds(30));
  const Deadline deadline = Deadline::after(std::chrono::seconds(10));
  while (!house.supervisor.snapshot()->leaving.empty() && !deadline.passed())
    house.supervisor.wait(house.supervisor.snapshot()->version,
                          Deadline::after(std::chrono::milliseconds(20)));
  CHECK(house.supervisor.snapshot()->leaving.empty());
  REQUIRE(house.fake_router.drains().size() == drains + 1);
  CHECK(house.fake_router.drains().back().targets == std::vector<InstanceId>{{"hello/web@v1#1"}});
  CHECK(house.targets() == Strings{"hello/web@v1#1'"});
  CHECK(house.supervisor.calls().back() == "let go hello/web@v1#1");
}
