#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace holdall::app {

// Of a project: some hundred bytes of memory each.
inline constexpr std::size_t kMostValues = 500'000;

/// What the steps of the reader find on their way. None of them stops at the first fault: a person mends a
/// file once.
struct Findings {
  std::vector<Problem> problems;
  std::vector<Problem> warnings;
  int misshapen =
      0;  ///< problems that leave a hole in the tree: what is missing then need not be reported as missing
  bool incomplete = false;  ///< a refused key would have brought more services, or more into one

  std::size_t grown = 0;  ///< values that are more than the files have

  /// Counts values that a step makes beyond those that are written: what is extended or included, what an env
  /// file gives to each of many services, the ports of a range. So a small project cannot become one that
  /// memory does not hold. Throws `invalid` when they are more than kMostValues.
  void grow(std::size_t values, const Where& where, std::string_view path);

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
