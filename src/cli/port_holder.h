#pragma once

#include <cstdint>
#include <string>

namespace holdall::cli {

/// Who listens on this TCP port: "nginx (pid 812)"; "somebody" where that cannot be seen.
std::string holder_of_port(std::uint16_t port);

}  // namespace holdall::cli
