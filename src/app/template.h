#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace holdall::app {

/// The value of a variable; nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

struct Substituted {
  std::string text;
  std::string error;  ///< empty: it went well; else what is wrong, and `text` means nothing
};

/// Replaces `$X`, `${X}`, `${X:-w}`, `${X-w}`, `${X:?m}`, `${X?m}`, `${X:+w}` and `${X+w}`, w and m being
/// templates themselves; `$$` is a dollar sign, and so is one before anything that is no name. `unset` is
/// called with each name that has no value and no default, and so became nothing. A result over 1 MiB and
/// more than 100 levels are errors. `dollar` is what a dollar sign becomes: "$$" makes the result a template
/// again, in which what `lookup` gave as a template stands as it is.
Substituted substitute(std::string_view text, const Lookup& lookup,
                       const std::function<void(const std::string& name)>& unset,
                       std::string_view dollar = "$");

/// One `$X` or `${X...}` of a template.
struct Mention {
  std::string name;
  std::string fallback;   ///< w of `:-w` and `-w`, as written
  std::string alternate;  ///< w of `:+w` and `+w`, as written
  bool required = false;  ///< `:?m` or `?m`
};

/// Calls `note` with each variable of a template, those in words too, whatever is set. What is no variable is
/// passed over.
void each_mention(std::string_view text, const std::function<void(Mention)>& note);

/// `text` as a template that stands for it: every `$` doubled.
std::string escape_dollars(std::string_view text);
std::string unescape_dollars(std::string_view text);

}  // namespace holdall::app
