#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "engine/engine.h"
#include "engine/record.h"
#include "engine/shim_link.h"

namespace holdall::engine {

/// A descriptor that wakes an epoll set as long as it is here.
class Watched {
 public:
  Watched() = default;
  Watched(int epoll, Fd fd);
  Watched(Watched&& other) noexcept = default;
  Watched& operator=(Watched&& other) noexcept;
  ~Watched() { reset(); }

  int get() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  Fd duplicate() const { return fd_.duplicate(); }
  void reset();

 private:
  int epoll_ = -1;
  Fd fd_;
};

/// What all instances of one engine share; outlives them.
struct Surroundings {
  std::filesystem::path instances;  ///< run/i
  std::filesystem::path shim;       ///< the program
  PipeKeeper& keeper;
  SecretSource& secrets;
  int epoll;  ///< wakes when an instance should `advance`
};

/// One instance as control sees it, from the wish to start it to the proof that nothing of it is left. A
/// shim's end is known by its pidfd: as init of a PID namespace it is the last to go. Single-threaded.
class ProcessInstance {
 public:
  /// Wanted, and not yet started: `start` does it.
  ProcessInstance(const Surroundings& surroundings, Record record);

  /// What a former control left in `directory`. nullptr, and the directory gone, if its program was never
  /// executed.
  static std::unique_ptr<ProcessInstance> adopt(const Surroundings& surroundings,
                                                const std::filesystem::path& directory);

  /// Makes its directory and its shim. What goes wrong is how it ended.
  void start();
  /// Ends it without having started it.
  void fail(std::string why);
  /// Stop signal now, SIGKILL to all of it after its grace. Idempotent.
  void stop();
  /// To its program. False if nobody is there to pass it on.
  bool signal(int number);
  /// Takes in what has happened since, without waiting.
  void advance();
  /// Its control groups; false while there is a process in one, which is killed. Only once it is gone.
  bool clear_groups();
  /// Its directory and its kept pipes; its output stays. Only once it is gone and its groups are cleared.
  void remove();

  const Record& record() const { return record_; }
  bool waiting() const { return phase_ == waiting_; }
  /// None of its processes is left. Its shim may be, writing to the disk, which a replacement does not wait
  /// for; what was stopped has not ended before that too is done.
  bool ended() const { return phase_ == ended_ && !(stopping_ && shim_lives_); }
  bool gone() const { return phase_ == ended_ && !shim_lives_; }
  bool answered() const { return tree_.has_value(); }
  bool needs_time() const;  ///< nothing will wake the epoll set: `advance` it a little later
  Instance observed() const;

  const std::optional<Tree>& tree() const { return tree_; }  ///< once its shim has answered
  const Watched& shim() const { return pidfd_; }             ///< a pidfd, as long as it lives

 private:
  enum Phase : std::uint8_t {
    waiting_,
    alive_,  ///< as far as we know
    lost_,   ///< its shim is dead and left no `exit`
    ended_,
  };

  void start_shim();
  void connect();
  void hear();
  void hear_hello(const Hello& hello);
  void shim_left();
  void take_ending();
  void finish_lost();
  void drain() const;
  bool shim_is_dead() const;

  const Surroundings& surroundings_;
  Record record_;
  InstanceDir dir_;
  Phase phase_ = waiting_;
  bool stopping_ = false;
  bool shim_lives_ = false;  ///< or is being born
  bool groups_left_ = false;
  std::optional<ShimLink> link_;
  Watched link_watch_, pidfd_;
  std::optional<Tree> tree_;
  std::optional<Instant> executed_;
  Ending ending_;
};

}  // namespace holdall::engine
