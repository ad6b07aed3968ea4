#pragma once

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"

namespace holdall {

/// What `work` is refused with; that it is, and with this kind, is checked.
std::string refusal(Error::Kind kind, auto work) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  FAIL("nothing was refused");
  return "";
}

}  // namespace holdall
