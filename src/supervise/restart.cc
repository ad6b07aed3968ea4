#include "supervise/restart.h"

#include <algorithm>

namespace holdall::supervise {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongestDelay = 60s;

// What is taken away is replaced at once; what is taken away as fast as it starts, once a second.
constexpr std::chrono::nanoseconds kLostTooSoon = 1s;

/// 0, 1, 2, 4 ... 60 s.
std::chrono::nanoseconds delay_after(int streak) {
  if (streak == 0) return 0s;
  constexpr int kMostDoublings = 6;  // 64 s, beyond the longest
  return std::min<std::chrono::nanoseconds>(kLongestDelay, 1s * (1 << std::min(streak - 1, kMostDoublings)));
}

bool starts_again(const RestartPolicy& policy, const std::optional<Exit>& exit, int restarts) {
  switch (policy.kind) {
    case RestartPolicy::no: return false;
    case RestartPolicy::always: return policy.most == 0 || restarts < policy.most;
    case RestartPolicy::on_failure:
      return !(exit && exit->ok()) && (policy.most == 0 || restarts < policy.most);
  }
  return false;
}

}  // namespace

std::optional<Replace> after_unready(const RestartPolicy& policy, const Unready& unready) {
  if (!starts_again(policy, std::nullopt, unready.restarts)) return std::nullopt;
  const int streak = unready.ready_for >= policy.window ? 0 : unready.streak;
  return Replace{policy.delay.value_or(delay_after(streak)), streak + 1};
}

AfterEnd after_end(const RestartPolicy& policy, const End& end) {
  // Whoever lived long enough was no crash loop: the next try starts at once.
  const int streak = end.alive >= policy.window ? 0 : end.streak;
  if (!starts_again(policy, end.exit, end.restarts)) {
    return {end.exit && end.exit->ok() ? Health::completed : Health::failed, 0s, streak};
  }
  if (end.lost) {
    const bool at_once = end.restarts == 0 || end.alive >= kLostTooSoon;
    return {Health::waiting, at_once ? 0s : kLostTooSoon, streak};
  }
  return {Health::waiting, policy.delay.value_or(delay_after(streak)), streak + 1};
}

}  // namespace holdall::supervise
