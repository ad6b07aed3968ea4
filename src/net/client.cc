#include "net/client.h"

#include "net/exchange.h"
#include "net/socket.h"

namespace holdall::net {
namespace {

// Of an answer that is not what the caller wants to stream: an error's JSON.
constexpr std::size_t kLargestRefusal = 1 << 20;

/// A unix socket has no host, and HTTP wants one.
std::string host_of(const Address& address) { return address.is_unix() ? "localhost" : text(address); }

ClientResponse fetch(Exchange& exchange, const ClientRequest& request, std::size_t largest_body) {
  exchange.send(request.target);
  ClientResponse out = exchange.receive_head();
  exchange.receive_body(keep(out.body, largest_body));
  return out;
}

ClientResponse stream(Exchange& exchange, const ClientRequest& request,
                      const std::function<bool(std::string_view)>& sink) {
  exchange.send(request.target);
  ClientResponse out = exchange.receive_head();
  bool good = out.status / 100 == 2;
  exchange.receive_body(good ? sink : keep(out.body, kLargestRefusal));
  return out;
}

UpgradeAnswer upgrade(Exchange& exchange, std::unique_ptr<Stream> bytes, const ClientRequest& request) {
  exchange.send(request.target);
  UpgradeAnswer out;
  out.response = exchange.receive_head();
  if (out.response.status == http::kSwitchingProtocols) {
    out.received = exchange.take_received();
    out.bytes = std::move(bytes);
  } else {
    exchange.receive_body(keep(out.response.body, kLargestRefusal));
  }
  return out;
}

}  // namespace

std::string_view ClientResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (http::equals_ignoring_case(key, name)) return value;
  }
  return {};
}

ClientResponse fetch(Connected connection, const ClientRequest& request, Deadline deadline,
                     std::size_t largest_body) {
  Exchange exchange(*connection.bytes, std::move(connection.name), connection.host, request, deadline);
  return fetch(exchange, request, largest_body);
}

ClientResponse stream(Connected connection, const ClientRequest& request, Deadline deadline,
                      const std::function<bool(std::string_view)>& sink) {
  Exchange exchange(*connection.bytes, std::move(connection.name), connection.host, request, deadline);
  return stream(exchange, request, sink);
}

UpgradeAnswer upgrade(Connected connection, const ClientRequest& request, Deadline deadline) {
  Exchange exchange(*connection.bytes, std::move(connection.name), connection.host, request, deadline);
  return upgrade(exchange, std::move(connection.bytes), request);
}

ClientResponse fetch(const Address& address, const ClientRequest& request, Deadline deadline,
                     std::size_t largest_body) {
  PlainStream bytes(connect(address, deadline));
  Exchange exchange(bytes, text(address), host_of(address), request, deadline);
  return fetch(exchange, request, largest_body);
}

ClientResponse stream(const Address& address, const ClientRequest& request, Deadline deadline,
                      const std::function<bool(std::string_view)>& sink) {
  PlainStream bytes(connect(address, deadline));
  Exchange exchange(bytes, text(address), host_of(address), request, deadline);
  return stream(exchange, request, sink);
}

UpgradeAnswer upgrade(const Address& address, const ClientRequest& request, Deadline deadline) {
  auto bytes = std::make_unique<PlainStream>(connect(address, deadline));
  Exchange exchange(*bytes, text(address), host_of(address), request, deadline);
  return upgrade(exchange, std::move(bytes), request);
}

}  // namespace holdall::net
