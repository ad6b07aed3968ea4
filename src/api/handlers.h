#pragma once

#include <map>
#include <memory>

#include "api/access.h"
#include "api/api.h"
#include "api/calls.h"
#include "api/people.h"
#include "api/session.h"
#include "api/visits.h"
#include "base/tasks.h"

namespace holdall::api {

/// A number of a request, none below 0. Throws `invalid`: "'x' is no WHAT".
std::int64_t parse_number(std::string_view text, std::string_view what);

/// What answers each route: parse, call, answer. The routes' table in api.cc says which is which.
class Handlers {
 public:
  Handlers(Parts parts, Options options, const Access& access, People& people, Calls& calls, Visits& visits);
  ~Handlers();
  void stop();

  // handlers.cc: the server
  net::Response server(net::Request& request);
  net::Response logs(net::Request& request);
  net::Response open_session(net::Request& request);
  net::Response detach_session(net::Request& request);
  net::Response stop_session(net::Request& request);

  // apps.cc
  net::Response apps(net::Request& request);
  net::Response status(net::Request& request);
  net::Response plan(net::Request& request);
  net::Response deploy(net::Request& request);
  net::Response releases(net::Request& request);
  net::Response release(net::Request& request);
  net::Response events(net::Request& request);
  net::Response rollback(net::Request& request);
  net::Response withdraw(net::Request& request);
  net::Response cancel(net::Request& request);
  net::Response destroy(net::Request& request);

  // changes.cc
  net::Response scale(net::Request& request);
  net::Response restart(net::Request& request);
  net::Response stop_services(net::Request& request);
  net::Response start_services(net::Request& request);
  net::Response kill(net::Request& request);
  net::Response maintenance(net::Request& request);
  net::Response variables(net::Request& request);
  net::Response set_variables(net::Request& request);

  // secrets.cc
  net::Response keys(net::Request& request);
  net::Response ensure_key(net::Request& request);
  net::Response check_sealed(net::Request& request);
  net::Response reseal(net::Request& request);

  // watching.cc
  net::Response processes(net::Request& request);
  net::Response stats(net::Request& request);

  // events.cc
  net::Response app_events(net::Request& request);

  // programs.cc
  net::Response exec(net::Request& request);
  net::Response run(net::Request& request);

  // people_routes.cc
  net::Response people(net::Request& request);
  net::Response add_person(net::Request& request);
  net::Response remove_person(net::Request& request);
  net::Response calls(net::Request& request);

  // sources.cc
  net::Response find_source(net::Request& request);
  net::Response put_source(net::Request& request);

 private:
  Sessions& sessions();
  void destroy_app(const std::string& app, Deadline deadline);
  Json instances(const release::AppStatus& status) const;
  std::optional<Digest> artefact_of(const Digest& source, const std::string& build) const;

  void check_artefacts(const net::Request& request, const std::map<std::string, Digest>& artefacts) const;
  std::string app_of_source(const net::Request& request) const;
  bool was_sent_for(const std::string& app, const Digest& artefact) const;

  Parts parts_;
  const Options options_;
  const Access& access_;
  People& people_;
  Calls& calls_;
  Visits& visits_;
  std::unique_ptr<Sessions> sessions_;  ///< of a private server
  TaskGroup streams_;
};

}  // namespace holdall::api
