#include "router/fleet.h"

#include <algorithm>

#include "router/upstream.h"

namespace holdall::router {
namespace {

// The longest host name of DNS; a longer one is nobody's.
constexpr std::size_t kLongestHost = 255;

bool matches(const LiveRoute& route, std::string_view path) {
  if (route.path == "/") return true;
  if (!path.starts_with(route.path)) return false;
  return path.size() == route.path.size() || route.path.ends_with('/') || path[route.path.size()] == '/';
}

}  // namespace

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::connect: return "connect";
    case Cause::closed: return "closed";
    case Cause::timeout: return "timeout";
    case Cause::no_instance: return "no instance";
    case Cause::bad_answer: return "bad answer";
    case Cause::overloaded: return "overloaded";
    case Cause::none: break;
  }
  return "none";
}

LiveTarget::LiveTarget(Target target_, ReleaseCounters& counters, std::size_t workers)
    : target(std::move(target_)),
      address(net::socket_address(target.address)),
      counters(counters),
      workers(workers) {}

LiveTarget::~LiveTarget() = default;

const LiveRoute* Snapshot::route(std::string_view host, std::string_view path) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > kLongestHost) return nullptr;
  char lower[kLongestHost];
  std::transform(host.begin(), host.end(), lower,
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  auto found = routes_.find(std::string_view(lower, host.size()));
  if (found == routes_.end()) return nullptr;
  for (const LiveRoute& route : found->second) {
    if (matches(route, path)) return &route;
  }
  return nullptr;
}

const LivePool* Snapshot::pool(PoolNumber number) const {
  return number < pools_.size() ? pools_[number].get() : nullptr;
}

PoolNumber Snapshot::pool_of(const Listener& listener) const {
  auto found = numbers_.find(listener.pool);
  return found == numbers_.end() ? ~PoolNumber{0} : found->second;
}

Fleet::Fleet(std::size_t workers) : workers_(workers) {}
Fleet::~Fleet() = default;

std::shared_ptr<const Snapshot> Fleet::compile(const RouteTable& table) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->version = table.version;
  snapshot->listeners = table.listeners;
  auto number = [&](const std::string& pool) {
    return pool_numbers_.try_emplace(pool, static_cast<PoolNumber>(pool_numbers_.size())).first->second;
  };
  std::vector<LiveTarget*> before;
  for (auto& target : targets_) {
    if (target->listed) before.push_back(target.get());
    target->listed = false;
  }
  for (const Pool& pool : table.pools) {
    PoolNumber at = number(pool.name);
    if (snapshot->pools_.size() <= at) snapshot->pools_.resize(at + 1);
    auto& live_pool = snapshot->pools_[at] = std::make_unique<LivePool>();
    live_pool->settings = pool;
    live_pool->settings.targets.clear();
    live_pool->unplaced = &counters(pool.name.substr(0, pool.name.find('/') + 1));
    for (const Target& target : pool.targets) {
      LiveTarget& one = live(target);
      live_pool->targets.push_back(&one);
      if (!one.listed) snapshot->targets.push_back(&one);
      one.listed = true;
      one.marked = false;
    }
  }
  for (const Route& route : table.routes) {
    snapshot->routes_[route.host].push_back({route.path, route.strip, number(route.pool)});
  }
  for (auto& [host, routes] : snapshot->routes_) {
    std::sort(routes.begin(), routes.end(),
              [](const LiveRoute& a, const LiveRoute& b) { return a.path.size() > b.path.size(); });
  }
  snapshot->numbers_ = pool_numbers_;
  for (LiveTarget* target : before) {
    if (!target->listed) target->finished_when_left = target->finished;
  }
  return snapshot;
}

LiveTarget& Fleet::live(const Target& target) {
  for (auto& known : targets_) {
    if (known->target == target) return *known;
  }
  targets_.push_back(std::make_unique<LiveTarget>(target, counters(target.release), workers_));
  return *targets_.back();
}

void Fleet::forget_unused() {
  std::erase_if(targets_, [](const auto& target) { return target->marked && !target->watched; });
  for (auto& target : targets_) target->marked = !target->listed && target->unused();
}

std::vector<LiveTarget*> Fleet::find(const std::vector<InstanceId>& ids) {
  std::vector<LiveTarget*> found;
  for (auto& target : targets_) {
    if (std::find(ids.begin(), ids.end(), target->target.id) != ids.end()) found.push_back(target.get());
  }
  return found;
}

ReleaseCounters& Fleet::counters(const std::string& release) {
  auto& found = counters_[release];
  if (!found) found = std::make_unique<ReleaseCounters>(workers_);
  return *found;
}

std::map<std::string, Counters::PerRelease> Fleet::counted() const {
  std::map<std::string, Counters::PerRelease> all;
  for (const auto& [release, counters] : counters_) {
    Counters::PerRelease& sum = all[release];
    for (const auto& worker : counters->workers) {
      sum.served += worker.served;
      sum.app_5xx += worker.app_5xx;
      sum.cut += worker.cut;
      sum.left += worker.left;
      sum.maintenance += worker.maintenance;
      for (std::size_t cause = 0; cause < kCauses; ++cause) {
        if (std::uint64_t count = worker.failed[cause])
          sum.failed[std::string(name(static_cast<Cause>(cause)))] += count;
      }
    }
  }
  return all;
}

}  // namespace holdall::router
