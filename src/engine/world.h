#pragma once

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "engine/engine.h"
#include "engine/record.h"
#include "logs/logs.h"

namespace holdall::engine {

/// What serve is to control, in this process.
class MemoryKeeper final : public PipeKeeper {
 public:
  void keep(const InstanceId& id, const Fd& out, const Fd& err) override {
    kept_[id] = {out.duplicate(), err.duplicate()};
  }
  std::optional<std::pair<Fd, Fd>> take(const InstanceId& id) override {
    auto kept = kept_.find(id);
    if (kept == kept_.end()) return std::nullopt;
    return std::pair(kept->second.first.duplicate(), kept->second.second.duplicate());
  }
  void drop(const InstanceId& id) override { kept_.erase(id); }
  std::size_t size() const { return kept_.size(); }

 private:
  std::map<InstanceId, std::pair<Fd, Fd>> kept_;
};

/// Values that a test has put there.
class MemorySecrets final : public SecretSource {
 public:
  std::map<std::string, Secret> open(const GroupId&, const std::set<std::string>& names) override {
    std::map<std::string, Secret> opened;
    for (const std::string& name : names) {
      auto value = values.find(name);
      if (value == values.end()) throw Error(Error::invalid, name + " was altered");
      opened.emplace(name, Secret(value->second));
    }
    return opened;
  }
  std::map<std::string, std::string> values;
};

/// For tests: a process engine on an empty directory, with one artefact, whose instances are gone at the end.
class World {
 public:
  World() : directory_(make_directory()) {
    restart_control();
    std::filesystem::path source = directory_ / "source";
    std::filesystem::create_directories(source / "sub");
    write_file_atomic(source / "sub" / "greeting", "hello from the artefact\n");
    workload.artefact = engine->prepare(source, {}, Deadline::never());
    workload.app = "shop";
    workload.service = "web";
  }
  ~World() {
    for (const std::string& group : groups_) engine->remove({group});
    await([&] { return engine->observe().empty(); });
    engine.reset();
    std::filesystem::permissions(state() / "artefacts", std::filesystem::perms::owner_all);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
      if (entry.is_directory()) std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
    }
    std::filesystem::remove_all(directory_);
  }
  World(const World&) = delete;

  std::filesystem::path state() const { return directory_ / "state"; }
  std::filesystem::path run() const { return directory_ / "run"; }
  std::filesystem::path directory() const { return directory_; }

  /// As after a kill of control: nothing but the disk and the kept pipes is left.
  void restart_control() {
    engine.reset();
    engine = make_process_engine({state(), run()}, keeper, secrets, system_clock());
  }

  /// From now on the group has these members.
  void want(const std::string& group, std::vector<Member> members) {
    groups_.push_back(group);
    engine->apply({{group}, workload, std::move(members)});
  }

  /// One instance of argv, in a group of its own.
  InstanceId start(std::vector<std::string> argv) {
    workload.command = std::move(argv);
    InstanceId id{random_id()};
    want("shop/web@" + id.value, {{.id = id}});
    return id;
  }
  void stop(const InstanceId& id) { engine->remove({"shop/web@" + id.value}); }

  /// Waits for news until it holds. False after 20 s, so that a broken engine fails the test.
  bool await(const std::function<bool()>& holds) {
    Deadline deadline = Deadline::after(std::chrono::seconds(20));
    while (!holds()) {
      if (deadline.passed()) return false;
      pollfd news{engine->changes(), POLLIN, 0};
      // Not only news of the engine is waited for: a file may appear, a process may go.
      constexpr int kLookMs = 20;
      poll(&news, 1, kLookMs);
    }
    return true;
  }

  std::optional<Instance> observed(const InstanceId& id) {
    for (Instance& instance : engine->observe()) {
      if (instance.id == id) return instance;
    }
    return std::nullopt;
  }
  bool await_state(const InstanceId& id, State state) {
    return await([&] {
      auto instance = observed(id);
      return instance && instance->state == state;
    });
  }
  Instance await_end(const InstanceId& id) {
    await_state(id, State::exited);
    return observed(id).value_or(Instance{});
  }
  bool await_gone(const InstanceId& id) {
    return await([&] { return !observed(id); });
  }

  std::filesystem::path logs_of(const InstanceId& id) const {
    return logs::instance_dir(state() / "logs", "shop", "web", 1, id);
  }
  std::vector<std::string> lines(const InstanceId& id, logs::Stream stream = logs::Stream::out) const {
    logs::Reader reader(logs_of(id));
    std::vector<std::string> texts;
    constexpr std::size_t kAtOnce = 10'000;
    for (auto more = reader.next(kAtOnce, true); !more.empty(); more = reader.next(kAtOnce, true)) {
      for (const logs::Line& line : more) {
        if (line.stream == stream) texts.push_back(line.text);
      }
    }
    return texts;
  }
  bool await_line(const InstanceId& id, const std::string& line) {
    return await([&] {
      engine->observe();
      auto all = lines(id);
      return std::ranges::find(all, line) != all.end();
    });
  }

  /// Everybody, of every namespace, whose command line holds the text.
  static std::vector<pid_t> processes_with(const std::string& text) {
    std::vector<pid_t> found;
    std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir("/proc"), closedir);
    while (dirent* entry = readdir(listing.get())) {
      pid_t pid = std::atoi(entry->d_name);
      try {
        if (pid > 0 &&
            read_file("/proc/" + std::to_string(pid) + "/cmdline").find(text) != std::string::npos) {
          found.push_back(pid);
        }
      } catch (const Error&) {
      }
    }
    return found;
  }
  static void kill_shim(const InstanceId& id) {
    for (pid_t pid : processes_with(id.value)) kill(pid, SIGKILL);
  }

  MemoryKeeper keeper;
  MemorySecrets secrets;
  std::unique_ptr<Engine> engine;
  Workload workload;

 private:
  static std::filesystem::path make_directory() {
    std::string pattern = "/tmp/holdall-engine-XXXXXX";
    if (!mkdtemp(pattern.data())) throw_errno(Error::broken, "make a directory", errno);
    return pattern;
  }

  std::filesystem::path directory_;
  std::vector<std::string> groups_;
};

}  // namespace holdall::engine
