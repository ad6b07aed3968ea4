#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "net/handover.h"
#include "router/router.h"

namespace holdall::router {

/// Control's end of the links to whichever routers serve has running. One thread reads; callers send and wait
/// for what it has read. A link that ends means that its router has: when none is left, everything asked is
/// asked of the next one again.
class ControlLink final : public Router {
 public:
  explicit ControlLink(Parent& parent);
  ~ControlLink() override;

  std::vector<Unbound> bind(const std::vector<Listener>& listeners) override;
  std::vector<Unbound> publish(const RouteTable& table, Deadline deadline) override;
  Drained drain(const std::vector<InstanceId>& targets, Deadline drain_deadline) override;
  void leave_drains() override;
  std::optional<Counters> counters(Deadline deadline) override;

 private:
  using Number = std::uint64_t;  ///< of a link: the order in which they came
  struct Link {
    std::shared_ptr<const Fd> socket;
    std::uint64_t served = 0;  ///< the version that this router has acknowledged
    std::string epoch;         ///< empty until its hello
  };
  struct State {
    std::map<Number, Link> links;  ///< the last one serves, those before it are being replaced
    Number last_link = 0;
    std::optional<std::pair<std::uint64_t, std::string>> refused;
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, std::map<Number, Json>> answers;  ///< to each question that is open, by its id
    std::map<std::string, Counters::Releases> counted;        ///< by routers that have retired
    std::set<std::string> ended;                              ///< epochs of links that have ended
    bool leaving_drains = false;
    bool stopping = false;
  };

  void read(const std::stop_token& stop);
  void take_news();
  void take_messages(Number number, const Fd& socket);
  void hear(Number number, net::Handover message);
  /// The answers of all routers there are, the serving one's last; none at the deadline. A question that is
  /// `leavable` has none once the drains are left.
  std::vector<Json> ask(Json message, Deadline deadline, bool leavable);
  /// Whether every router that `after` names and whose end was seen has told what it counted.
  static bool all_counted(const State& state, const std::vector<Json>& after);

  Parent& parent_;
  std::mutex publishing_;
  Guarded<State> state_;
  std::condition_variable changed_;
  Fd wake_;
  std::jthread reader_;  // last: it uses all of the above
};

}  // namespace holdall::router
