#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/people.h"
#include "base/time.h"
#include "net/server.h"

namespace holdall::api {

/// What a route is about, and so of what its caller must have the right.
enum class Scope : std::uint8_t {
  app,     ///< the app that the path names first: /v1/apps/NAME/...
  server,  ///< all of it
  any,     ///< some app; the handler shows or takes only what is the caller's
};

/// Of a route: what it is about when its row does not say.
Scope scope_of(std::string_view pattern);

/// The listeners whose callers are not the kernel's to name. Any other is the local socket.
inline constexpr std::string_view kPeopleListener = "people", kTlsListener = "tls";

/// Who asks, and what they may do.
struct Caller {
  std::string name;               ///< "alice", "uid 0 (root)", "nobody (203.0.113.9)"
  std::optional<Right> role;      ///< nothing: not one call
  std::vector<std::string> apps;  ///< empty: every app, and the server itself
  std::string refusal;            ///< of who has no role: why, and what to do

  bool has_all_apps() const { return apps.empty(); }
  bool may(Right right, std::string_view app) const;

  /// Throws `denied` with the remedy. `app` matters for Scope::app.
  void check(Right right, Scope scope, std::string_view app) const;
};

/// Who may do what, decided in one place. On the local socket a caller is the uid that the kernel vouches
/// for; on people's, whom `holdall stdio --as NAME` introduced, which only sshd can have started; over TLS,
/// whose token it is. Thread-safe.
class Access {
 public:
  /// `owner`, root and the members of `group` may do everything.
  Access(unsigned owner, std::string group, const People& people, const Clock& clock);

  Caller caller(const net::Request& request) const;

  /// For Route::admits: whether a body is worth reading. Does not wait: those whom the local socket's mode
  /// lets in are asked for their rights later.
  bool admits(const net::Request& request, Right right, Scope scope) const;

 private:
  bool is_member(const net::Peer& peer) const;
  Caller local(const net::Peer& peer) const;
  Caller introduced(const std::string& name) const;
  Caller bearer(const net::Request& request) const;

  const unsigned owner_;
  const std::string group_;
  const People& people_;
  const Clock& clock_;
};

/// The app that a request's path names; empty where it names none.
std::string app_of_path(const net::Request& request, Scope scope);

/// "uid 0 (root)".
std::string who(const net::Peer& peer);

}  // namespace holdall::api
