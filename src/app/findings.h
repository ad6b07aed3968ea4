#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace holdall::app {

/// What the steps of the reader find on their way. None of them stops at the first fault: a person mends a
/// file once.
struct Findings {
  std::vector<Problem> problems;
  std::vector<Problem> warnings;
  int misshapen =
      0;  ///< problems that leave a hole in the tree: what is missing then need not be reported as missing
  bool incomplete = false;  ///< a refused key would have brought more services, or more into one

  void refuse(const Where& where, std::string what, std::string hint = "") {
    problems.push_back({where, std::move(what), std::move(hint)});
  }
  void misshape(const Where& where, std::string what, std::string hint = "") {
    ++misshapen;
    refuse(where, std::move(what), std::move(hint));
  }
  void warn(const Where& where, std::string what, std::string hint = "") {
    warnings.push_back({where, std::move(what), std::move(hint)});
  }
};

}  // namespace holdall::app
