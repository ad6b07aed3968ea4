#pragma once

#include <string>

#include "board.h"

namespace boredbot {

/// What this copy of the page is.
struct Look {
  std::string colour = "grey";    ///< of the mood: a CSS colour name or #hex; anything else is grey
  std::string release, instance;  ///< who answers: "v2", "web.1"; empty where nobody says
};

/// The page, whole: everything that came from elsewhere is escaped, and whatever is missing is said in words.
std::string page(const Board& board, const Look& look);

}  // namespace boredbot
