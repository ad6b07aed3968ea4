#include "daemon_tls.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/files.h"
#include "base/log.h"
#include "kit/kit.h"
#include "net/socket.h"

namespace holdall {
namespace {

// Strangers can connect; more than these wait. A connection holds some tens of kilobytes.
constexpr std::size_t kConnections = 128;
// A team's few clients.
constexpr std::size_t kThreads = 4;

/// The certificate of this state directory: made once, so that its fingerprint stays.
void make_files(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  if (std::filesystem::exists(certificate) && std::filesystem::exists(key)) return;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  constexpr std::size_t kLongestCommonName = 64;  // RFC 5280
  net::Certificate made = net::make_certificate(std::string(host.data()).substr(0, kLongestCommonName));
  write_file_atomic(key, made.key.view(), 0600);
  write_file_atomic(certificate, made.text);
}

}  // namespace

TlsDoor::TlsDoor(const net::Address& address, const std::filesystem::path& certificate,
                 const std::filesystem::path& key, const std::filesystem::path& state)
    : address_(address) {
  std::filesystem::path shown = certificate, secret = key;
  if (shown.empty()) {
    shown = state / "api-tls.crt";
    secret = state / "api-tls.key";
    make_files(shown, secret);
  }
  identity_ = std::make_unique<net::TlsIdentity>(shown.string(), secret.string());
  listener_ = net::listen(address_);
}

api::TlsFacts TlsDoor::facts() const { return {net::text(address_), identity_->fingerprint()}; }

TlsServer::TlsServer(TlsDoor& door, std::vector<net::Route> routes, const std::filesystem::path& spool)
    : server_(std::move(routes), {.threads = kThreads,
                                  .spool_dir = spool,
                                  .connections = kConnections,
                                  .record = kit::log_request}) {
  server_.add_listener({.socket = std::move(door.listener_),
                        .name = std::string(api::kTlsListener),
                        .stream = [&door](Fd socket) { return door.identity_->accept(std::move(socket)); }});
  loop_.start("API for tokens", [this](const std::stop_token&) { server_.run(); });
  auto [address, fingerprint] = door.facts();
  log::info("control.api_tls",
            fmt::format("the API takes tokens at {}, fingerprint {}", address, fingerprint),
            Json::object({{"api_tls", address}, {"fingerprint", fingerprint}}));
}

TlsServer::~TlsServer() {
  stop();
  loop_.stop();
}

}  // namespace holdall
