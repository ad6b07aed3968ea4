#include "release/context.h"

#include <algorithm>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"

namespace holdall::release {

void Context::point(const std::string& name) const {
  const std::string full = "release." + name;
  if (options.at_point) options.at_point(full.c_str());
  failpoint(full.c_str());
}

void Context::act(const std::string& name, const std::function<void()>& work) const {
  point(name + ".before");
  work();
  point(name + ".after");
}

void Context::commit(const std::string& name, const std::function<void(store::Transaction&)>& work) const {
  act(name + ".commit", [&] { database.write(work); });
  news.tell();
}

std::chrono::nanoseconds Context::commit_and_publish(
    const std::string& name, const std::string& publish,
    const std::function<void(store::Transaction&)>& work) const {
  const auto took = publisher.update({"release." + name + ".commit", "release." + publish}, work);
  news.tell();
  return took;
}

bool Context::wait_gone(const std::vector<GroupId>& groups, const std::stop_token& stop) const {
  while (!supervisor.gone(groups, Deadline::after(kNoticeSlice))) {
    if (stop.stop_requested()) return false;
  }
  return true;
}

router::Router::Drained Context::drain(const std::string& name, const std::vector<InstanceId>& targets,
                                       std::chrono::nanoseconds span, const std::stop_token& stop) const {
  router::Router::Drained drained{};
  if (targets.empty()) return drained;
  const std::stop_callback leave(stop, [this] { router.leave_drains(); });
  try {
    act(name, [&] { drained = router.drain(targets, Deadline::after(span)); });
  } catch (const Error& error) {
    log::warning("release.drain", error.what());
    drained.complete = false;
  }
  return drained;
}

std::chrono::nanoseconds drain_timeout(const app::App& app) {
  std::chrono::nanoseconds longest{0};
  for (const auto& [name, service] : app.services) longest = std::max(longest, service.drain_timeout);
  return longest;
}

std::vector<InstanceId> targets_of(const std::vector<GroupId>& groups, const supervise::Snapshot& snapshot) {
  std::vector<InstanceId> targets;
  for (const GroupId& group : groups) {
    for (const supervise::InstanceStatus& one : snapshot.of(group)) targets.push_back(one.id);
  }
  return targets;
}

}  // namespace holdall::release
