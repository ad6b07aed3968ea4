#pragma once

#include <string>
#include <vector>

#include "app/app.h"
#include "base/json.h"

namespace holdall::app {

/// Something wrong with a model, at a path of it: "services.web.x-holdall.ready". Who has the file knows its
/// line.
struct Fault {
  std::string path;
  std::string what;
  std::string hint;
};

/// The typed value of a model whose dollar signs are doubled in values of environment alone, with every fault
/// of it. What is at fault is left at its default.
App read_model(const Json& model, std::vector<Fault>& faults);

/// What keeps the process engine from running the app as it is written.
void check_process_engine(const App& app, const Json& model, std::vector<Fault>& faults);

/// A copy with every string and name of it passed through `change`, but for values of environment.
Json map_plain_strings(const Json& model, std::string (*change)(std::string_view));

}  // namespace holdall::app
