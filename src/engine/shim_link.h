#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/id.h"
#include "base/time.h"

namespace holdall::engine {

/// What a shim says of itself, and what the kernel says of the shim.
struct Hello {
  InstanceId id;
  std::string boot_id;
  bool stopping = false;
  pid_t child = 0;  ///< as the shim numbers it
  std::optional<Instant> executed;
  pid_t shim = 0;  ///< in our namespace, by the kernel's word
  uid_t uid = 0;
};

/// A connection to a shim: protocol 1 (docs/formats/shim.md), one packet a message. Never blocks.
class ShimLink {
 public:
  /// Nothing if nobody listens there.
  static std::optional<ShimLink> connect(const std::filesystem::path& socket);

  /// What a shim listens on from before its birth; a link made before the shim is there waits for it.
  static Fd listen(const std::filesystem::path& socket);

  const Fd& fd() const { return socket_; }
  void ask_hello() { send("hello"); }
  void stop(int signal, std::chrono::milliseconds grace);
  void signal(int number);

  enum class Heard : std::uint8_t { nothing, hello, exited, other, end };
  /// The next message, if there is one; `hello()` is the last heard.
  Heard hear();
  const std::optional<Hello>& hello() const { return hello_; }

 private:
  explicit ShimLink(Fd socket) : socket_(std::move(socket)) {}
  void send(const std::string& text);

  Fd socket_;
  std::optional<Hello> hello_;
};

}  // namespace holdall::engine
