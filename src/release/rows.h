#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "release/release.h"
#include "store/store.h"

namespace holdall::release {

/// All that the database knows of one release.
struct Row {
  Release release;
  Request request;
  std::map<std::string, GroupId>
      groups;                   ///< service -> the group that runs it: started by this release, or kept
  std::optional<int> replaces;  ///< the release that served when this one began
  std::string boot;             ///< the boot that `step_since` belongs to
  Instant step_since;
};

/// The row of an app.
struct AppRow {
  std::string name;
  std::optional<int> serving;
  int next_number = 1;
  bool destroying = false;   ///< its instances are being stopped, for good or
  bool withdrawing = false;  ///< so that nothing of it serves
  std::optional<Maintenance> maintenance;
  std::map<std::string, Variable> variables;  ///< set before the first release
};

Json to_json(const Request& request);
Request parse_request(const Json& json);
Step parse_step(std::string_view name);

// Each of these is one or two statements in the caller's transaction.

std::vector<AppRow> all_apps(store::Transaction& t);
std::optional<AppRow> find_app(store::Transaction& t, const std::string& app);
void insert_app(store::Transaction& t, const std::string& app);  ///< there already: nothing
void set_serving(store::Transaction& t, const std::string& app, std::optional<int> number);
void set_variables(store::Transaction& t, const std::string& app,
                   const std::map<std::string, Variable>& variables);
void set_maintenance(store::Transaction& t, const std::string& app,
                     const std::optional<Maintenance>& maintenance);
void set_destroying(store::Transaction& t, const std::string& app);
void set_withdrawing(store::Transaction& t, const std::string& app);
void set_withdrawn(store::Transaction& t, const std::string& app);  ///< nothing serves, nothing is stopped
void delete_app(store::Transaction& t, const std::string& app);     ///< with its releases, events and ports

std::optional<Row> find_row(store::Transaction& t, const std::string& app, int number);
std::optional<int> moving_number(store::Transaction& t, const std::string& app);
std::optional<int> number_of_key(store::Transaction& t, const std::string& app, const std::string& key);
std::optional<Step> step_of(store::Transaction& t, const std::string& app, int number);
std::vector<int> numbers(store::Transaction& t, const std::string& app);  ///< newest first

/// The row as it is, and the app's next number becomes the one after.
void insert_row(store::Transaction& t, const Row& row);

/// Writes step, reason, report, finished, boot and step_since of `row` if the release is still in step
/// `from`; else changes nothing and returns false.
bool update_step(store::Transaction& t, const Row& row, Step from);

/// The event gets the next sequence of its release.
void add_event(store::Transaction& t, const std::string& app, int number, const Event& event);
std::vector<Event> events_after(store::Transaction& t, const std::string& app, int number,
                                std::int64_t after);

std::map<std::string, std::uint16_t> service_ports(store::Transaction& t, const std::string& app);
std::vector<std::uint16_t> all_service_ports(store::Transaction& t);
void insert_service_port(store::Transaction& t, const std::string& app, const std::string& service,
                         std::uint16_t port);

std::map<std::string, std::uint32_t> service_uids(store::Transaction& t, const std::string& app);
/// Of all apps that ever were.
std::set<std::uint32_t> all_service_uids(store::Transaction& t);
void insert_service_uid(store::Transaction& t, const std::string& app, const std::string& service,
                        std::uint32_t uid);

std::optional<Json> stored_table(store::Transaction& t);
void store_table(store::Transaction& t, std::uint64_t version, const Json& table);

}  // namespace holdall::release
