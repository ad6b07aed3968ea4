#pragma once

#include <deque>
#include <functional>
#include <map>

#include "base/fd.h"
#include "base/guarded.h"
#include "base/tasks.h"
#include "supervise/prober.h"
#include "supervise/socket_probe.h"

namespace holdall::supervise {

/// The probes of a running control: sockets in an epoll set of its own, commands and files on a few
/// threads.
class Probes final : public Prober {
 public:
  Probes(engine::Engine& engine, const Clock& clock);
  ~Probes() override;

  void start(const InstanceId& id, const Gate& gate, const net::Address& address) override;
  void cancel(const InstanceId& id) override;
  std::vector<Result> take() override;

  int fd() const { return epoll_.get(); }  ///< polls readable when `take` has something to do
  Instant due() const;                     ///< the next deadline of a socket

 private:
  struct Job {
    InstanceId id;
    std::uint64_t number;
    Gate gate;
  };
  struct Answer {
    InstanceId id;
    std::uint64_t number;
    Verdict verdict;
  };
  struct Shared {
    std::deque<Job> jobs;
    std::vector<Answer> answers;
    int threads = 0;
  };

  void start_job(const InstanceId& id, const Gate& gate);
  Verdict do_job(const Job& job);
  void run_jobs();

  engine::Engine& engine_;
  const Clock& clock_;
  Fd epoll_, answered_;
  std::map<InstanceId, SocketProbe> sockets_;
  std::map<InstanceId, std::uint64_t> commands_;  ///< the number of the job whose answer is waited for
  std::vector<Result> ended_;                     ///< those that ended as they were started
  std::uint64_t jobs_made_ = 0;
  Guarded<Shared> shared_;
  TaskGroup threads_;  ///< last: they use all of the above
};

}  // namespace holdall::supervise
