#include "app/order.h"

#include <map>
#include <queue>

namespace holdall::app {
namespace {

/// Services by their position in the file, which decides between those that could start next.
struct Graph {
  std::map<std::string_view, std::size_t> positions;
  std::vector<std::vector<std::size_t>> dependants;
  std::vector<std::size_t> waiting_for;  ///< how many dependencies are not placed yet
  std::vector<std::size_t> order;        ///< those that can be placed
};

Graph sort(const App& app) {
  const auto& names = app.service_order;
  Graph graph;
  for (std::size_t i = 0; i < names.size(); ++i) graph.positions.emplace(names[i], i);
  graph.dependants.resize(names.size());
  graph.waiting_for.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const auto& [below, dependency] : app.services.at(names[i]).depends_on) {
      auto position = graph.positions.find(below);
      if (position == graph.positions.end()) continue;
      graph.dependants[position->second].push_back(i);
      ++graph.waiting_for[i];
    }
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> free;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (graph.waiting_for[i] == 0) free.push(i);
  }
  while (!free.empty()) {
    std::size_t next = free.top();
    free.pop();
    graph.order.push_back(next);
    for (std::size_t dependant : graph.dependants[next]) {
      if (--graph.waiting_for[dependant] == 0) free.push(dependant);
    }
  }
  return graph;
}

}  // namespace

bool Service::has_port() const {
  bool asked = ready && !ready->path.empty();
  return !routes.empty() || !ports.empty() || !expose.empty() || port || asked;
}

std::vector<std::string> start_order(const App& app) {
  std::vector<std::string> order;
  for (std::size_t position : sort(app).order) order.push_back(app.service_order[position]);
  return order;
}

std::vector<std::string> find_cycle(const App& app) {
  Graph graph = sort(app);
  auto waits = [&](std::string_view name) {
    auto position = graph.positions.find(name);
    return position != graph.positions.end() && graph.waiting_for[position->second] > 0;
  };
  // Whatever still waits has a dependency that still waits: following them must come round.
  std::vector<std::string> way;
  std::map<std::string, std::size_t> seen;
  for (const std::string& name : app.service_order) {
    if (!waits(name)) continue;
    std::string at = name;
    while (seen.emplace(at, way.size()).second) {
      way.push_back(at);
      for (const auto& [below, dependency] : app.services.at(at).depends_on) {
        if (waits(below)) {
          at = below;
          break;
        }
      }
    }
    way.erase(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(seen.at(at)));
    way.push_back(at);
    break;
  }
  return way;
}

}  // namespace holdall::app
