#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "net/address.h"

namespace holdall::net {

struct ClientRequest {
  std::string method = "GET", target = "/";
  std::vector<std::pair<std::string, std::string>> headers =
      {};  ///< Host, Content-Length and Connection are added
  std::string body = {};
  int body_file = -1;  ///< sent instead of `body`, from offset 0 to its end; borrowed
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string_view header(std::string_view name) const;
};

/// One HTTP/1.1 request on a connection of its own, blocking, never past the deadline. Throws `missing` when
/// nobody listens at `address`, `busy` at the deadline, `failed` when the answer is cut or no HTTP. Any
/// status is a success.
ClientResponse fetch(const Address& address, const ClientRequest& request, Deadline deadline,
                     std::size_t largest_body = std::size_t{256} << 20);

/// The same, but a 2xx body is given to `sink` as it arrives (and `body` stays empty); `sink` returns false
/// to hang up.
ClientResponse stream(const Address& address, const ClientRequest& request, Deadline deadline,
                      const std::function<bool(std::string_view)>& sink);

}  // namespace holdall::net
