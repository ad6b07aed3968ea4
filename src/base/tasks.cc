#include "base/tasks.h"

#include <fmt/format.h>

#include <atomic>
#include <list>
#include <thread>

#include "base/error.h"
#include "base/guarded.h"
#include "base/log.h"

namespace holdall {
namespace {

struct Task {
  std::atomic<bool> ended{false};
  std::jthread thread;
};

struct Tasks {
  std::list<Task> all;
  bool stopping = false;
};

void run_reporting(const std::string& name, const std::function<void(std::stop_token)>& work,
                   std::stop_token stop) {
  std::string fault;
  try {
    work(std::move(stop));
    return;
  } catch (const std::exception& error) {
    fault = error.what();
  } catch (...) {
    fault = "unknown exception";
  }
  log::error("task.failed", fmt::format("{}: {}", name, fault), Json::object({{"task", name}}));
}

}  // namespace

struct TaskGroup::State {
  Guarded<Tasks> tasks;
};

TaskGroup::TaskGroup() : state_(std::make_unique<State>()) {}

TaskGroup::~TaskGroup() { stop(); }

void TaskGroup::start(std::string name, std::function<void(std::stop_token)> work) {
  auto tasks = state_->tasks.lock();
  if (tasks->stopping) throw Error(Error::busy, fmt::format("cannot start {}: it is being stopped", name));
  tasks->all.remove_if([](const Task& task) { return task.ended.load(); });
  Task& task = tasks->all.emplace_back();
  task.thread = std::jthread([&task, name = std::move(name), work = std::move(work)](std::stop_token stop) {
    run_reporting(name, work, std::move(stop));
    task.ended = true;
  });
}

void TaskGroup::stop() {
  std::list<Task> all;
  {
    auto tasks = state_->tasks.lock();
    tasks->stopping = true;
    all.swap(tasks->all);
  }
  for (Task& task : all) task.thread.request_stop();
  for (Task& task : all) task.thread.join();
}

}  // namespace holdall
