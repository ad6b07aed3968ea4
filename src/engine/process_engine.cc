#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/guarded.h"
#include "base/log.h"
#include "engine/artefacts.h"
#include "engine/cgroups.h"
#include "engine/cover.h"
#include "engine/engine.h"
#include "engine/environment.h"
#include "engine/heartbeat.h"
#include "engine/instance.h"
#include "engine/launch.h"
#include "engine/limits.h"
#include "engine/processes.h"
#include "engine/record.h"
#include "engine/secrets.h"
#include "engine/sockets.h"
#include "engine/usage.h"
#include "logs/logs.h"
#include "net/socket.h"

namespace holdall::engine {
namespace {

namespace fs = std::filesystem;

// A shim answers within a millisecond; one that does not in this time stays `starting` until it does.
constexpr auto kAdoptionWait = std::chrono::seconds(5);
// How often is looked at what no descriptor reports: the dying processes of a killed shim.
constexpr auto kLookAgain = std::chrono::milliseconds(10);
constexpr std::size_t kLongestSocketPath =
    100;  // the kernel takes 107; one limit for all of Holdall's sockets
constexpr auto kRetainEvery = std::chrono::minutes(1);
constexpr std::uint64_t kKeptLogBytes = 64 << 20;  // a stream
constexpr std::size_t kKeptDeadLogs = 20;  // an app: the last few releases' worth of failures to read about
constexpr std::uint16_t kFirstPort = 20000,
                        kLastPort = 29999;  // under what Linux gives to outgoing connections

/// What other threads may ask about a living instance.
struct Reachable {
  Record record;
  Tree tree;
  std::shared_ptr<const Fd> shim;  ///< pidfd
};

class ProcessEngine final : public Engine {
 public:
  ProcessEngine(ProcessEngineOptions options, PipeKeeper& keeper, SecretSource& secrets, const Clock& clock);

  Capabilities capabilities() const override { return {}; }
  Digest prepare(const fs::path& source, const std::vector<std::string>& build, Deadline deadline) override {
    return artefacts_.prepare(source, build, deadline);
  }
  bool has(const Digest& artefact) const override { return artefacts_.has(artefact); }
  void keep_artefacts(const std::vector<Digest>& kept) override { artefacts_.keep(kept); }

  void apply(const Group& group) override;
  void signal(const InstanceId& id, int number) override;
  std::vector<Instance> observe() override;
  int changes() const override { return epoll_.get(); }

  Output exec(const InstanceId& id, const std::vector<std::string>& argv, Deadline deadline) override;
  std::unique_ptr<Process> attend(const InstanceId& id, const Program& program, const Stdio& stdio) override;
  void leave(const InstanceId& id, const Program& program) override;
  std::unique_ptr<Process> once(const Copy& copy, const Workload& workload, const Program& program,
                                const Stdio& stdio) override;
  std::string touched(const InstanceId& id, const std::string& path) const override;
  std::vector<Listener> listeners(const InstanceId& id) const override;
  std::vector<std::string> unenforced(const Limits& limits) const override {
    return engine::unenforced(limits, groups_);
  }
  std::vector<ProcessInfo> processes(const InstanceId& id) const override {
    return describe(processes_of(find(id).tree), surroundings_.shim.parent_path());
  }
  Usage usage(const InstanceId& id) const override {
    Reachable instance = find(id);
    Usage usage = usage_of(processes_of(instance.tree), surroundings_.shim.parent_path());
    take_counts(instance.record.groups, usage);
    usage.memory_limit = instance.record.limits.memory;
    return usage;
  }
  std::uint16_t free_port(const std::vector<std::uint16_t>& taken) override;

 private:
  struct Row {
    std::unique_ptr<ProcessInstance> instance;
    bool wanted = true;
  };

  void adopt_all();
  void add(const Group& group, const Member& member);
  Record record_of(const GroupId& group, const Workload& workload, const Member& member,
                   const fs::path& directory) const;
  bool may_start(const ProcessInstance& instance) const;
  void settle();
  void publish_reachable();
  void retain_logs();
  void retain_dead_logs(const std::string& app);
  void set_timer();
  Reachable find(const InstanceId& id) const;

  ProcessEngineOptions options_;
  const Clock& clock_;
  const ControlGroups groups_;
  Artefacts artefacts_;
  Fd epoll_, timer_, news_;
  Surroundings surroundings_;
  std::map<InstanceId, Row> rows_;
  Instant retain_at_;
  mutable Guarded<std::map<InstanceId, Reachable>> reachable_;
};

Fd make_epoll(std::initializer_list<const Fd*> watched) {
  Fd epoll(checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll set"));
  for (const Fd* fd : watched) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    checked(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd->get(), &event), "watch a descriptor");
  }
  return epoll;
}

void make_private_directories(const fs::path& path) {
  fs::create_directories(path);
  checked(chmod(path.c_str(), 0700), "chmod " + path.string());
}

/// Here, where it can be put right, instead of at the first instance: all ids are equally long.
void check_room_for_sockets(const fs::path& instances) {
  const std::string socket = InstanceDir(instances / random_id()).socket();
  if (socket.size() <= kLongestSocketPath) return;
  throw Error(
      Error::invalid,
      fmt::format("the run directory {} is too long: sockets of instances would have {} bytes, {} at most; "
                  "set HOLDALL_API to a shorter path",
                  instances.parent_path().string(), socket.size(), kLongestSocketPath));
}

/// Paths are shown in instances as they are here, so none may lead through a link.
ProcessEngineOptions settled(ProcessEngineOptions options) {
  options.state = fs::weakly_canonical(options.state);
  options.run = fs::weakly_canonical(options.run);
  auto soft = [](__rlimit_resource which) {
    rlimit limit{};
    getrlimit(which, &limit);
    return std::uint64_t{limit.rlim_cur};
  };
  if (!options.open_files) options.open_files = soft(RLIMIT_NOFILE);
  if (!options.core_bytes) options.core_bytes = soft(RLIMIT_CORE);
  return options;
}

/// The record as the program sees it.
void apply_to(Record& record, const Program& program) {
  if (program.argv.empty()) throw Error(Error::invalid, "which program? there is no argv");
  record.command = program.argv;
  for (const auto& [name, value] : program.environment) {
    record.environment[name] = value;
    record.secret_environment.erase(name);
  }
  if (!program.working_dir.empty()) record.working_dir = fs::path(record.artefact) / program.working_dir;
}

ProcessEngine::ProcessEngine(ProcessEngineOptions options, PipeKeeper& keeper, SecretSource& secrets,
                             const Clock& clock)
    : options_(settled(std::move(options))),
      clock_(clock),
      artefacts_(options_.state / "artefacts"),
      timer_(checked(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "make a timer")),
      news_(make_event()),
      surroundings_{options_.run / "i", install_shim(options_.state / "bin"), keeper, secrets, -1},
      retain_at_(clock.now()) {
  check_room_for_sockets(surroundings_.instances);
  epoll_ = make_epoll({&timer_, &news_});
  surroundings_.epoll = epoll_.get();
  fs::create_directories(options_.state / "logs");
  make_private_directories(surroundings_.instances);
  adopt_all();
}

void ProcessEngine::adopt_all() {
  for (const fs::directory_entry& entry : fs::directory_iterator(surroundings_.instances)) {
    std::string name = entry.path().filename();
    if (name.starts_with('.')) {
      fs::remove_all(entry.path());
      continue;
    }
    if (auto instance = ProcessInstance::adopt(surroundings_, entry.path())) {
      InstanceId id = instance->record().id;
      rows_.emplace(std::move(id), Row{std::move(instance), true});
    }
  }
  // So that the first `observe` does not call what has run for days `starting`.
  Deadline patience = Deadline::after(kAdoptionWait);
  auto pending = [&] {
    return std::ranges::any_of(rows_, [](const auto& row) {
      return !row.second.instance->ended() && !row.second.instance->answered();
    });
  };
  settle();
  while (pending() && !patience.passed()) {
    set_timer();
    epoll_event event;
    epoll_wait(epoll_.get(), &event, 1, patience.poll_ms());
    settle();
  }
  poke(news_);
}

void ProcessEngine::apply(const Group& group) {
  for (auto& [id, row] : rows_) {
    if (row.instance->record().group != group.id) continue;
    row.wanted = std::ranges::any_of(group.members, [&](const Member& member) { return member.id == id; });
    if (!row.wanted) row.instance->stop();
  }
  for (const Member& member : group.members) {
    if (!rows_.contains(member.id)) add(group, member);
  }
  settle();
  poke(news_);
}

void ProcessEngine::signal(const InstanceId& id, int number) {
  const auto row = rows_.find(id);
  if (row == rows_.end() || !row->second.instance->signal(number))
    throw Error(Error::missing, fmt::format("no instance {} is running", id.value));
}

/// `directory` is the instance's own.
Record ProcessEngine::record_of(const GroupId& group, const Workload& workload, const Member& member,
                                const fs::path& directory) const {
  const fs::path artefact = artefacts_.path(workload.artefact);
  const bool own_user = workload.uid != 0;
  const std::string home = own_user ? options_.state / "home" : "";
  const fs::path secrets = own_user ? "/run/secrets" : directory / "secrets";
  return Record{
      .id = member.id,
      .group = group,
      .slot = member.slot,
      .port = member.port,
      .app = workload.app,
      .service = workload.service,
      .command = workload.command,
      .environment = environment_of(workload, member, home, secrets),
      .secret_environment = workload.secret_environment,
      .secret_files = workload.secret_files,
      .working_dir = artefact / workload.working_dir,
      .uid = workload.uid,
      .cover = own_user ? cover_of(options_.state).string() : "",
      .artefact = artefact,
      .home = home,
      .open_files = *options_.open_files,
      .core_bytes = *options_.core_bytes,
      .stop_signal = workload.stop_signal,
      .stop_grace = workload.stop_grace,
      .limits = workload.limits,
      .groups = groups_.of(member.id, workload.limits),
      .logs =
          logs::instance_dir(options_.state / "logs", workload.app, workload.service, member.slot, member.id),
      .boot_id = boot_id(),
  };
}

void ProcessEngine::add(const Group& group, const Member& member) {
  const Workload& workload = group.workload;
  if (workload.command.empty()) throw Error(Error::invalid, fmt::format("{} has no command", group.id.value));
  Record record = record_of(group.id, workload, member, surroundings_.instances / member.id.value);
  auto instance = std::make_unique<ProcessInstance>(surroundings_, std::move(record));
  if (!artefacts_.has(workload.artefact)) {
    instance->fail(
        fmt::format("its artefact {} is not on this server: deploy it again", workload.artefact.value));
  }
  rows_.emplace(member.id, Row{std::move(instance), true});
}

/// Those that are wanted may run beside each other; of the slot's others each must have ended, to its last
/// process.
bool ProcessEngine::may_start(const ProcessInstance& instance) const {
  return std::ranges::none_of(rows_, [&](const auto& row) {
    const ProcessInstance& other = *row.second.instance;
    return &other != &instance && !row.second.wanted && !other.waiting() && !other.ended() &&
           other.record().group == instance.record().group && other.record().slot == instance.record().slot;
  });
}

/// Takes in all that has happened, removes what has ended and is not wanted, starts what waited for that.
void ProcessEngine::settle() {
  for (auto& [id, row] : rows_) row.instance->advance();
  std::set<std::string> apps;
  for (auto row = rows_.begin(); row != rows_.end();) {
    ProcessInstance& instance = *row->second.instance;
    bool over = !row->second.wanted && (instance.gone() || instance.waiting()) && instance.clear_groups();
    if (over) {
      apps.insert(instance.record().app);
      logs::retain(instance.record().logs, kKeptLogBytes);
      instance.remove();
    }
    row = over ? rows_.erase(row) : std::next(row);
  }
  for (const std::string& app : apps) retain_dead_logs(app);
  for (auto& [id, row] : rows_) {
    if (row.instance->waiting() && may_start(*row.instance)) row.instance->start();
  }
  publish_reachable();
}

std::vector<Instance> ProcessEngine::observe() {
  clear(news_);
  std::uint64_t expired;
  [[maybe_unused]] auto size = read(timer_.get(), &expired, sizeof expired);
  settle();
  if (clock_.now() >= retain_at_) retain_logs();
  set_timer();
  std::vector<Instance> instances;
  for (const auto& [id, row] : rows_) instances.push_back(row.instance->observed());
  return instances;
}

void ProcessEngine::set_timer() {
  bool look_again =
      std::ranges::any_of(rows_, [](const auto& row) { return row.second.instance->needs_time(); });
  std::chrono::nanoseconds wait =
      look_again ? std::chrono::nanoseconds(kLookAgain) : retain_at_ - clock_.now();
  wait = std::max<std::chrono::nanoseconds>(wait, kLookAgain);
  constexpr std::int64_t kSecond = 1'000'000'000;
  itimerspec timer{.it_interval = {}, .it_value = {wait.count() / kSecond, wait.count() % kSecond}};
  checked(timerfd_settime(timer_.get(), 0, &timer, nullptr), "set a timer");
}

void ProcessEngine::retain_logs() {
  retain_at_ = clock_.now() + kRetainEvery;
  for (const auto& [id, row] : rows_) logs::retain(row.instance->record().logs, kKeptLogBytes);
}

void ProcessEngine::retain_dead_logs(const std::string& app) {
  std::vector<logs::InstanceLog> found = logs::list(options_.state / "logs", app);
  std::erase_if(found, [&](const logs::InstanceLog& log) { return rows_.contains(log.id); });
  for (std::size_t i = 0; i + kKeptDeadLogs < found.size(); ++i) fs::remove_all(found[i].dir);
}

void ProcessEngine::publish_reachable() {
  auto reachable = reachable_.lock();
  std::erase_if(*reachable, [&](const auto& entry) {
    auto row = rows_.find(entry.first);
    return row == rows_.end() || !row->second.instance->shim();
  });
  for (const auto& [id, row] : rows_) {
    const ProcessInstance& instance = *row.instance;
    if (!instance.shim() || !instance.tree() || reachable->contains(id)) continue;
    auto shim = std::make_shared<const Fd>(instance.shim().duplicate());
    reachable->emplace(id, Reachable{instance.record(), *instance.tree(), std::move(shim)});
  }
}

Reachable ProcessEngine::find(const InstanceId& id) const {
  auto reachable = reachable_.lock();
  auto found = reachable->find(id);
  if (found == reachable->end())
    throw Error(Error::missing, fmt::format("no instance {} is running", id.value));
  return found->second;
}

Output ProcessEngine::exec(const InstanceId& id, const std::vector<std::string>& argv, Deadline deadline) {
  Reachable instance = find(id);
  const Fd* inside = instance.tree.kind == Tree::pid_namespace ? instance.shim.get() : nullptr;
  Fd secrets = open_secrets(instance.record, surroundings_.secrets, false);
  return enter(surroundings_.shim, instance.record, inside, secrets, argv, deadline);
}

std::unique_ptr<Process> ProcessEngine::attend(const InstanceId& id, const Program& program,
                                               const Stdio& stdio) {
  Reachable instance = find(id);
  apply_to(instance.record, program);
  const Fd* inside = instance.tree.kind == Tree::pid_namespace ? instance.shim.get() : nullptr;
  Fd secrets = open_secrets(instance.record, surroundings_.secrets, false);
  return engine::attend(surroundings_.shim, instance.record, inside, secrets, stdio);
}

void ProcessEngine::leave(const InstanceId& id, const Program& program) {
  Reachable instance = find(id);
  if (instance.tree.kind != Tree::pid_namespace) {
    throw Error(
        Error::invalid,
        "a program that nobody attends could outlive its instance here: the server runs without root, "
        "and so without namespaces; leave out -d");
  }
  apply_to(instance.record, program);
  Fd secrets = open_secrets(instance.record, surroundings_.secrets, false);
  engine::leave(surroundings_.shim, instance.record, *instance.shim, secrets);
}

std::unique_ptr<Process> ProcessEngine::once(const Copy& copy, const Workload& workload,
                                             const Program& program, const Stdio& stdio) {
  if (!artefacts_.has(workload.artefact)) {
    throw Error(Error::missing, fmt::format("the artefact {} of {} is not on this server: deploy it again",
                                            workload.artefact.value, workload.service));
  }
  // With the dot of what is being removed: no control adopts it.
  const fs::path directory = surroundings_.instances / ("." + copy.id.value);
  Record record = record_of(copy.group, workload, {.id = copy.id, .port = copy.port}, directory);
  apply_to(record, program);
  Fd secrets = open_secrets(record, surroundings_.secrets, true);
  return engine::once(surroundings_.shim, record, directory, secrets, stdio);
}

std::string ProcessEngine::touched(const InstanceId& id, const std::string& path) const {
  Reachable instance = find(id);
  const Fd* inside = instance.tree.kind == Tree::pid_namespace ? instance.shim.get() : nullptr;
  auto home = instance.record.environment.find("HOME");
  const fs::path from = home == instance.record.environment.end() ? "/" : home->second;
  return mark_of_file(inside, from / path);
}

std::vector<Listener> ProcessEngine::listeners(const InstanceId& id) const {
  return listening(processes_of(find(id).tree));
}

std::uint16_t ProcessEngine::free_port(const std::vector<std::uint16_t>& taken) {
  std::random_device random;
  constexpr std::uint32_t kPorts = kLastPort - kFirstPort + 1;
  std::uint32_t first = random() % kPorts;
  for (std::uint32_t i = 0; i < kPorts; ++i) {
    auto port = static_cast<std::uint16_t>(kFirstPort + (first + i) % kPorts);
    if (std::ranges::find(taken, port) == taken.end() && net::port_is_free(port)) return port;
  }
  throw Error(Error::busy, fmt::format("no port between {} and {} is free", kFirstPort, kLastPort));
}

}  // namespace

std::unique_ptr<Engine> make_process_engine(ProcessEngineOptions options, PipeKeeper& keeper,
                                            SecretSource& secrets, const Clock& clock) {
  return std::make_unique<ProcessEngine>(std::move(options), keeper, secrets, clock);
}

}  // namespace holdall::engine
