#pragma once

#include <cstddef>
#include <string_view>

namespace holdall {

/// How many bytes have to be put in, taken out or replaced to make `a` of `b` (Levenshtein): what "did you
/// mean" is chosen by.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace holdall
