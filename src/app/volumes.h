#pragma once

#include <string>
#include <string_view>

#include "app/node.h"

namespace holdall::app {

/// The long form of [SOURCE:]TARGET[:OPTIONS]. A source that begins with '.', '/' or '~', or with a drive of
/// Windows, is a path of the machine; any other is the name of a volume; without one it is a volume without a
/// name. When it is none of that, `error` says why.
Node long_volume(std::string_view text, const Where& where, std::string& error);

/// The path without what makes it longer than it is: `a//b/./c/..` is `a/b`, and nothing is ".".
std::string clean_path(std::string_view path);

}  // namespace holdall::app
