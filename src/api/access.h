#pragma once

#include <string>

#include "net/server.h"

namespace holdall::api {

/// What a route's row asks for; each holds those before it. All but `read` are recorded with the caller.
enum class Right : std::uint8_t {
  read,
  run,     ///< programs beside the app's instances, and its instances
  deploy,  ///< what runs, and with which settings
  admin,   ///< what cannot be taken back, and who may do what
};

/// Who may do what, decided in one place. On a unix socket a peer is its uid, which the kernel vouches for.
class Access {
 public:
  Access(unsigned owner, std::string group);

  /// Throws `denied` unless the peer is root, the owner or a member of the group.
  void check(const net::Peer& peer) const;

 private:
  bool is_member(const net::Peer& peer) const;

  const unsigned owner_;
  const std::string group_;
};

/// "uid 0 (root)".
std::string who(const net::Peer& peer);

/// A line in the log: who asked for what change, and what came of it.
void record(const net::Request& request, int status);

}  // namespace holdall::api
