#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervise/supervise.h"

namespace holdall::supervise {

/// What one probe found.
struct Verdict {
  bool accepted = false;  ///< a connection was accepted
  bool passed = false;
  std::string failure;  ///< in words, when it did not pass
  std::optional<std::string>
      beat;  ///< of a file: another word each time it was touched; empty: it is not there
};

/// Decides from what probes find whether one instance is fit to serve, and when to look again. Pure: it is
/// told the time and what was found, and says what is due.
class Watch {
 public:
  /// Of an instance that is being started.
  Watch(const Gate& gate, bool closely, Instant now);

  /// Of one that a former control watched: what it was found to be holds until a probe says otherwise.
  Watch(const Gate& gate, bool closely, Health found, Instant since, Instant now);

  void executed(Instant at);
  void probe_started(Instant now);
  void probe_ended(const Verdict& verdict, Instant now);
  void listens_on(const std::vector<engine::Listener>& listeners, const net::Address& expected, Instant now);
  void set_closely(bool closely, Instant now);
  void look_again(Instant now);   ///< what is ready has to pass another probe, at once, to be confirmed
  void time_passed(Instant now);  ///< may give up

  Health health() const { return health_; }      ///< starting, ready, unready, or failed: it is to be stopped
  bool confirmed() const { return confirmed_; }  ///< a probe has passed that was to, or there is none to pass
  const std::string& reason() const { return reason_; }
  bool wrong_listener() const { return wrong_since_.has_value(); }
  std::optional<Instant> accepted_at() const { return accepted_at_; }
  std::optional<Instant> ready_since() const { return ready_since_; }
  std::optional<Instant> unready_since() const { return unready_since_; }
  /// Failed so often, and by probes of this one, that another instance would be better.
  bool hopeless() const;

  bool probe_due(Instant now) const { return !probing_ && now >= probe_at_; }
  bool listeners_due(Instant now) const { return now >= listeners_at_; }
  Instant due() const;  ///< the next instant at which any of this is due; Instant::max() for never

 private:
  bool connects() const { return gate_.kind == Gate::Kind::port || gate_.kind == Gate::Kind::http; }
  Verdict of_beat(const Verdict& seen, Instant now);
  void pass(Instant now);
  void fail(const Verdict& verdict, Instant now);
  void give_up(std::string reason);
  void schedule(Instant now);

  Gate gate_;
  bool closely_;
  Health health_ = Health::starting;
  std::string reason_;
  std::string last_failure_;
  int failures_ = 0;                 ///< in a row
  std::optional<std::string> beat_;  ///< the last one seen
  Instant beat_at_;                  ///< when it was another one than before
  bool probing_ = false;
  bool confirmed_ = false;
  bool was_accepted_ = false;  ///< by this control or, as far as we know, by the one before
  std::optional<Instant> executed_at_, accepted_at_, ready_since_, unready_since_, wrong_since_;
  Instant probe_started_;
  Instant probe_at_ = Instant::max();
  Instant listeners_at_ = Instant::max();
  Instant give_up_at_ = Instant::max();
};

}  // namespace holdall::supervise
