#pragma once

#include <string>
#include <string_view>

#include "app/node.h"

namespace holdall::app {

/// What an unquoted scalar means in YAML as Compose reads it: booleans are true and false alone (`yes` and
/// `no` stay strings), 0644 is octal, 22:22 a string, 2024-01-02 a date. The place is left empty.
Node resolve_scalar(std::string_view text);

/// A number as Compose prints it into an environment: 1.10 is "1.1", 1e21 "1e+21", infinity "+Inf".
std::string print_real(double value);

}  // namespace holdall::app
