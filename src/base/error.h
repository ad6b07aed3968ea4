#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace holdall {

/// The one exception of Holdall. Its kind says what the reader should do about it; its text names the thing,
/// in lower case and without a full stop, then the remedy if one is known. A secret never enters it.
class Error : public std::runtime_error {
 public:
  enum Kind {
    failed,    ///< the work was done and came out badly: a release that did not become ready
    invalid,   ///< fix the input
    missing,   ///< no such thing
    conflict,  ///< something else stands in the way: read again, then retry
    busy,      ///< not now, or not in time: retry later
    denied,    ///< not allowed
    broken,    ///< our own bug
  };

  Error(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}

  Kind kind() const { return kind_; }

  /// The same error with the caller's facts before it: `while rolling out shop/web: ...`. Add them once,
  /// while it passes.
  Error during(std::string_view doing) const;

 private:
  Kind kind_;
};

/// `name` and `parse_kind` are each other's inverse: "invalid", "missing", ...
std::string_view name(Error::Kind kind);
Error::Kind parse_kind(std::string_view name);

/// 1 failed, 2 invalid, 3 missing, 4 conflict, 5 busy, 6 denied, 70 broken.
int exit_code(Error::Kind kind);

/// 422 failed, 400 invalid, 404 missing, 409 conflict, 503 busy, 403 denied, 500 broken.
int http_status(Error::Kind kind);

/// Throws an Error of `kind` that ends with the system's words for `number`: "open /x: No such file or
/// directory".
[[noreturn]] void throw_errno(Error::Kind kind, std::string_view doing, int number);

/// A place in a file that somebody wrote. Lines and columns count from 1; 0 means "the whole".
struct Where {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const Where&) const = default;
};

/// "compose.yaml:14:7", without what is 0 or empty.
std::string text(const Where& where);

/// One thing wrong with an input. Checking an input returns all of them.
struct Problem {
  Where where;
  std::string what;
  std::string hint;  ///< how to mend it; may be empty

  bool operator==(const Problem&) const = default;
};

/// "compose.yaml:14:7: what" and, on a line of its own, the hint.
std::string text(const Problem& problem);

/// All that is wrong with an input, for who can show more of it than a text.
class Problems : public Error {
 public:
  Problems(Kind kind, std::vector<Problem> problems, std::string directory);

  const std::vector<Problem>& all() const { return *problems_; }

  /// What relative names of files are relative to; empty: not said.
  const std::string& directory() const { return directory_; }

 private:
  std::shared_ptr<const std::vector<Problem>> problems_;  // copying an exception must not throw
  std::string directory_;
};

/// Throws Problems of `kind`, whose text lists every problem, a line each; returns if there is none.
void throw_if_any(const std::vector<Problem>& problems, Error::Kind kind = Error::invalid,
                  const std::string& directory = "");

}  // namespace holdall
