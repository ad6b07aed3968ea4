#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/id.h"

namespace holdall {

/// SHA-256 (FIPS 180-4), fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;

  void update(std::string_view bytes);
  Digest finish();  ///< once; nothing may follow

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(std::string_view bytes);

/// Throws `invalid` unless `text` is "sha256:" and 64 lower-case hex digits.
Digest parse_digest(std::string_view text);

}  // namespace holdall
