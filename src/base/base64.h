#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace holdall {

/// RFC 4648 section 4: the standard alphabet, padded.
std::string base64(std::string_view bytes);

/// Nothing unless `text` is exactly what `base64` makes of some bytes: no blanks, no bits left over.
std::optional<std::string> base64_decode(std::string_view text);

// The same for what must not be seen, without a copy that stays.
Secret base64(const Secret& bytes);
std::optional<Secret> base64_decode_secret(std::string_view text);

}  // namespace holdall
