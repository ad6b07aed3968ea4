#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "net/client.h"
#include "net/exchange.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/tls.h"

namespace holdall::net {
namespace {

/// The first address that answers. Each gets its share of the time, so that one that swallows packets leaves
/// some for the next.
Fd connect_to_any(const std::vector<Address>& addresses, Deadline deadline) {
  std::string faults;
  for (std::size_t i = 0; i < addresses.size() && !deadline.passed(); ++i) {
    Deadline share = deadline;
    auto left = static_cast<std::int64_t>(addresses.size() - i);
    if (deadline != Deadline::never()) share = Deadline::after((deadline.at() - BootClock::now()) / left);
    try {
      return connect(addresses[i], share);
    } catch (const Error& error) {
      faults += (faults.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  throw Error(Error::busy, faults.empty() ? "there was no time left to connect" : faults);
}

std::unique_ptr<Stream> open(const Url& url, Deadline deadline, const FetchOptions& options) {
  Fd socket = connect_to_any(resolve(url, deadline), deadline);
  if (!url.tls) return std::make_unique<PlainStream>(std::move(socket));
  return std::make_unique<TlsStream>(std::move(socket), url.host, url.is_literal(),
                                     Trust{options.ca_file, options.fingerprint}, deadline);
}

}  // namespace

Connected connect(const Url& url, Deadline deadline, const FetchOptions& options) {
  return {open(url, deadline, options), text(at(url, "/")), host_header(url)};
}

ClientResponse fetch(const Url& url, const ClientRequest& request, Deadline deadline,
                     const FetchOptions& options) {
  // Without the query, where keys are sometimes sent.
  std::string name = text(at(url, "/"));
  try {
    std::unique_ptr<Stream> bytes = open(url, deadline, options);
    Exchange exchange(*bytes, "the server", host_header(url), request, deadline);
    exchange.send(url.target);
    ClientResponse out = exchange.receive_head();
    exchange.receive_body(keep(out.body, options.largest_body));
    return out;
  } catch (const Error& error) {
    throw error.during(name);
  }
}

}  // namespace holdall::net
