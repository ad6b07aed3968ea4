#include "app/app.h"
#include "app/dotenv.h"

namespace holdall::app {

std::map<std::string, std::string> parse_env_file(std::string_view text, const std::string& filename) {
  std::map<std::string, std::string> variables;
  Findings findings;
  bool looked_up = false;
  Lookup nothing = [&](const std::string&) -> std::optional<std::string> {
    looked_up = true;
    return std::nullopt;
  };
  parse_dotenv(text, DotenvFormat::compose, filename, nothing, variables, findings);
  // The reader's own words quote the line; here that may be a value.
  std::vector<Problem> problems;
  for (const Problem& found : findings.problems) {
    problems.push_back(
        {found.where, "this is no NAME=VALUE", "a value of several lines stands in quotes: NAME=\"...\""});
  }
  if (looked_up) {
    problems.push_back({{filename, 0, 0},
                        "a value refers to a variable with a dollar sign, or a name stands without a value",
                        "where the dollar is meant, put the value in single quotes: NAME='...'"});
  }
  throw_if_any(problems);
  return variables;
}

}  // namespace holdall::app
