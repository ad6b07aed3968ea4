#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/json.h"

namespace holdall::app {

/// When a mistake is worth its line: whenever the file is read, when it is about to go live (and whenever
/// `check` is asked), or only then.
enum class Occasion : std::uint8_t { always, release, check };

struct Mistake {
  Problem problem;
  Occasion occasion;
};

/// What the specification allows, and whoever wrote it is surely mistaken or soon surprised: docs/compose.md
/// has the list. What repeats is one mistake, at its first place, which names the others. `model` is as
/// `read_model` takes it; `place` says where a path of it was written.
std::vector<Mistake> mistakes(const Json& model, const VariableUse& use,
                              const std::function<Where(const std::string&)>& place);

}  // namespace holdall::app
