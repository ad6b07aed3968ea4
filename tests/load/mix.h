#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace load {

/// A page is a plain answer of an app that gives no checksum with it.
enum class Kind : std::uint8_t { plain, post, slow, stream, page };
std::string_view name(Kind kind);

/// When a client that leaves on purpose does so.
enum class Leave : std::uint8_t { never, in_request, while_waiting, in_answer };

/// One request as it is sent, and what its answer must be.
struct Request {
  std::string id;
  Kind kind = Kind::plain;
  Leave leave = Leave::never;
  bool fresh = false;    ///< on a connection of its own, closed afterwards
  std::string bytes;     ///< head and body
  std::string checksum;  ///< of the body of a post, which the answer must name
};

/// What is asked of the app: a quarter posts of 64 KiB, a tenth slow answers, a tenth streams, the rest
/// plain; half on fresh connections; one in twenty of all is left by the client in the middle. Or of one kind
/// only, which nobody leaves. A seed gives the same requests again.
class Mix {
 public:
  Mix(std::string host, double slow_seconds, std::uint64_t seed, std::optional<Kind> only);

  Request next();

 private:
  struct Body {
    std::string bytes, checksum;
  };

  std::string host_;
  std::string slow_path_;
  std::string prefix_;  ///< of ids: unlike those of another run
  std::optional<Kind> only_;
  std::mt19937_64 random_;
  std::vector<Body> bodies_;
  std::uint64_t count_ = 0;
};

/// Lower-case hex of the SHA-256.
std::string checksum(std::string_view bytes);

}  // namespace load
