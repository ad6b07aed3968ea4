#include "base/edit_distance.h"

#include <doctest/doctest.h>

using namespace holdall;

TEST_CASE("the distance of two words is the fewest letters put in, taken out or replaced") {
  CHECK(edit_distance("ports", "ports") == 0);
  CHECK(edit_distance("port", "ports") == 1);
  CHECK(edit_distance("imgae", "image") == 2);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
}
