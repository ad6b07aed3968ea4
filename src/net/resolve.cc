#include "net/resolve.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <list>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/guarded.h"

namespace holdall::net {
namespace {

/// A look-up in the C library's own threads, as getaddrinfo itself knows no deadline.
struct Lookup {
  explicit Lookup(const Url& url) : host(url.host), service(std::to_string(url.port)) {
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    request.ar_name = host.c_str();
    request.ar_service = service.c_str();
    request.ar_request = &hints;
  }
  ~Lookup() {
    if (request.ar_result) freeaddrinfo(request.ar_result);
  }
  Lookup(const Lookup&) = delete;

  const std::string host, service;
  addrinfo hints{};
  gaicb request{};
};

/// Look-ups that nobody waits for any more, and that the C library still writes to.
using Abandoned = std::list<std::unique_ptr<Lookup>>;

Guarded<Abandoned>& abandoned() {
  static Guarded<Abandoned>& list = *new Guarded<Abandoned>;
  return list;
}

void wait(std::unique_ptr<Lookup>& lookup, Deadline deadline) {
  const gaicb* all[] = {&lookup->request};
  while (gai_error(&lookup->request) == EAI_INPROGRESS && !deadline.passed()) {
    // Never for ever: a wait that a signal or a lost wake-up ends late is bounded by this.
    constexpr int kMostMs = 1000;
    int ms = deadline.poll_ms();
    if (ms < 0 || ms > kMostMs) ms = kMostMs;
    timespec span{ms / 1000, ms % 1000 * 1'000'000L};
    gai_suspend(all, 1, &span);
  }
  if (gai_error(&lookup->request) != EAI_INPROGRESS) return;
  gai_cancel(&lookup->request);
  if (gai_error(&lookup->request) == EAI_INPROGRESS) abandoned().lock()->push_back(std::move(lookup));
  throw Error(Error::busy, "looking up its address took too long");
}

}  // namespace

std::vector<Address> resolve(const Url& url, Deadline deadline) {
  if (url.is_literal()) return {{url.host, url.port, ""}};
  abandoned().lock()->remove_if(
      [](const auto& lookup) { return gai_error(&lookup->request) != EAI_INPROGRESS; });
  auto lookup = std::make_unique<Lookup>(url);
  gaicb* all[] = {&lookup->request};
  int error = getaddrinfo_a(GAI_NOWAIT, all, 1, nullptr);
  if (error == 0) {
    wait(lookup, deadline);
    error = gai_error(&lookup->request);
  }
  if (error) throw Error(Error::busy, fmt::format("looking up its address: {}", gai_strerror(error)));
  std::vector<Address> out;
  for (const addrinfo* one = lookup->request.ar_result; one; one = one->ai_next) {
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen,
                reinterpret_cast<char*>(&storage));
    out.push_back(address_of(storage));
  }
  if (out.empty()) throw Error(Error::busy, "it has no address");
  return out;
}

}  // namespace holdall::net
