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

/// Control's end of the link to whichever router serve has running. One thread reads; callers send and wait
/// for what it has read. A link that ends means that its router has: everything asked of it is asked of the
/// next one again.
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
  struct State {
    std::shared_ptr<const Fd> link;  ///< null while there is no router
    std::uint64_t generation = 0;    ///< counts links
    std::uint64_t served = 0;        ///< the version that the present router has acknowledged
    std::optional<std::pair<std::uint64_t, std::string>> refused;
    std::uint64_t last_id = 0;
    std::set<std::uint64_t> asked;
    std::map<std::uint64_t, Json> answers;  ///< to `asked`, by id
    bool leaving_drains = false;
    bool stopping = false;
  };

  void read(const std::stop_token& stop);
  void rest(Deadline until) const;
  void hear(net::Handover message);
  /// A question that is `leavable` has no answer once the drains are left.
  std::optional<Json> ask(Json message, Deadline deadline, bool leavable);
  bool send_table(const Fd& link, std::uint64_t version, const Fd& memfd, Deadline deadline);

  Parent& parent_;
  std::mutex publishing_;
  Guarded<State> state_;
  std::condition_variable changed_;
  Fd wake_;
  std::jthread reader_;  // last: it uses all of the above
};

}  // namespace holdall::router
