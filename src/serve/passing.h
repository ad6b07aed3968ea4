#pragma once

#include "base/fd.h"
#include "base/json.h"

namespace holdall::serve {

// Descriptors on their way from this process's image to its next one, through exec: JSON holds their numbers.

/// Its number; it stays open through an exec from now on.
Json pass(const Fd& fd);

/// The descriptor of that number, closed by the next exec again. Throws `invalid` if there is none.
Fd take(const Json& number);

/// None of this process's descriptors goes through an exec.
void pass_nothing();

}  // namespace holdall::serve
