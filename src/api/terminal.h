#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/engine.h"
#include "net/server.h"
#include "wire/wire.h"

namespace holdall::api {

/// Starts a program with these descriptors; in the thread that attends it.
using Start = std::function<std::unique_ptr<engine::Process>(const engine::Stdio&)>;

/// How long a connection may be silent. Both ends say that they are alive; a network that was cut says
/// nothing.
struct Patience {
  std::chrono::nanoseconds say = std::chrono::seconds(10);
  std::chrono::nanoseconds hear = std::chrono::seconds(30);
};

/// Carries a program's input and output over the connection (docs/formats/terminal.md), from its start to the
/// first of: its end, the client's going, `stop`. Nothing of the program is left then. Queues are bounded: a
/// client that does not read makes the program wait, and the other way round. Returns the exit code; nothing
/// if nobody was told one.
std::optional<int> carry(net::Upgraded connection, const Start& start,
                         const std::optional<wire::WindowSize>& terminal, const std::stop_token& stop,
                         Patience patience = {});

}  // namespace holdall::api
