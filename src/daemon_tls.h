#pragma once

#include <filesystem>
#include <memory>

#include "api/api.h"
#include "base/tasks.h"
#include "net/address.h"
#include "net/server.h"
#include "net/tls_identity.h"

namespace holdall {

/// Where the API takes tokens: the address, and what the server shows itself by.
class TlsDoor {
 public:
  /// Listens at once. Without a certificate one is made, for as long as the state directory lasts. Throws
  /// `conflict` if the address is taken, `invalid` if the files are no certificate and its key.
  TlsDoor(const net::Address& address, const std::filesystem::path& certificate,
          const std::filesystem::path& key, const std::filesystem::path& state);

  api::TlsFacts facts() const;

 private:
  friend class TlsServer;
  const net::Address address_;
  std::unique_ptr<net::TlsIdentity> identity_;
  Fd listener_;
};

/// What answers there: a server with a loop and threads of its own, so that neither handshakes nor strangers
/// keep those waiting who come in by the local socket.
class TlsServer {
 public:
  TlsServer(TlsDoor& door, std::vector<net::Route> routes, const std::filesystem::path& spool);
  ~TlsServer();                    ///< stops, and waits
  void stop() { server_.stop(); }  ///< thread-safe

 private:
  net::Server server_;
  TaskGroup loop_;
};

}  // namespace holdall
