#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "net/address.h"
#include "net/stream.h"
#include "net/url.h"

namespace holdall::net {

struct ClientRequest {
  std::string method = "GET", target = "/";
  std::vector<std::pair<std::string, std::string>> headers =
      {};  ///< Host, Content-Length and Connection are added
  std::string body = {};
  int body_file = -1;        ///< sent instead of `body`, from offset 0 to its end; borrowed
  std::string upgrade = {};  ///< the protocol that is wanted instead of HTTP, for `upgrade` alone
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

/// What came of asking for another protocol.
struct UpgradeAnswer {
  ClientResponse response;
  std::unique_ptr<Stream> bytes;  ///< of the other protocol, if the status is 101
  std::string received;           ///< the first of them
};
/// The same, for `request.upgrade`. The deadline ends with the answer's head.
UpgradeAnswer upgrade(const Address& address, const ClientRequest& request, Deadline deadline);

/// A connected stream that does not block, and how errors call what is at its other end.
struct Connected {
  std::unique_ptr<Stream> bytes;
  std::string name;
  std::string host = "localhost";  ///< the Host header
};
/// The same over a connection that somebody else has made.
ClientResponse fetch(Connected connection, const ClientRequest& request, Deadline deadline,
                     std::size_t largest_body = std::size_t{256} << 20);
ClientResponse stream(Connected connection, const ClientRequest& request, Deadline deadline,
                      const std::function<bool(std::string_view)>& sink);
UpgradeAnswer upgrade(Connected connection, const ClientRequest& request, Deadline deadline);

struct FetchOptions {
  std::size_t largest_body = std::size_t{16} << 20;  ///< of the answer
  std::string ca_file = {};      ///< PEM: whom to trust instead of the system's certificates
  std::string fingerprint = {};  ///< "sha256:...": the one certificate to trust, whoever signed it
};

/// The same for a URL (its target is asked for, `request.target` is not): looks the host up, connects to the
/// first of its addresses that answers, and for https wants a certificate that the system trusts, that is
/// valid now and names the host; TLS 1.2 or newer. All of it within the deadline. Redirects are answers like
/// others. Throws `busy` when the host is not found, not reached or not in time, `failed` when its
/// certificate is refused or its answer is cut, too large or no HTTP. Only who calls this links OpenSSL.
ClientResponse fetch(const Url& url, const ClientRequest& request, Deadline deadline,
                     const FetchOptions& options = {});

/// The connection alone, for the calls above. Its errors are those of `fetch`.
Connected connect(const Url& url, Deadline deadline, const FetchOptions& options = {});

}  // namespace holdall::net
