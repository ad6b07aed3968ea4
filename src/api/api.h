#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/access.h"
#include "api/people.h"
#include "base/keys.h"
#include "base/time.h"
#include "engine/engine.h"
#include "net/address.h"
#include "net/server.h"
#include "release/release.h"
#include "store/store.h"
#include "supervise/supervise.h"

namespace holdall::api {

/// The listener for tokens, for who asks about the server.
struct TlsFacts {
  std::string address;      ///< empty: there is none
  std::string fingerprint;  ///< of its certificate
};

/// What the API speaks for. All of it outlives the Api.
struct Parts {
  release::Releases& releases;
  engine::Engine& engine;
  supervise::Supervisor& supervisor;
  store::Database& database;
  const Clock& clock;
  KeyDirectory& keys;
};

struct Options {
  std::filesystem::path state;  ///< uploads/ is made and emptied here; logs/ is read
  net::Address http;            ///< where the router listens, to be told
  std::string engine = "process";
  unsigned owner = 0;  ///< the uid that may do everything, beside root and members of `group`
  std::string group = "holdall";
  SshDoor ssh;
  TlsFacts tls;
  std::filesystem::path run = {};  ///< upgrade.json is read here
  bool is_private = false;         ///< `up`'s own server: it ends with its last session
  std::function<void()> exit;      ///< asks serve to end everything; for a private server
};

/// What a route asks of its caller.
struct RouteRight {
  std::string method, pattern;
  Right right;
  Scope scope;
};

/// The HTTP API (docs/formats/api.md): parse, call, answer. Every call is checked against one table of
/// rights; what changes anything, and what is denied, is recorded with who asked for it. Thread-safe.
class Api {
 public:
  Api(Parts parts, Options options);
  ~Api();  ///< after the server that has its routes

  std::vector<net::Route> routes();
  static std::vector<RouteRight> rights();  ///< of all routes but Dockerflow's, which are everybody's

  /// Control is ending: sessions that close from now on stop nothing. Call it before the server's `stop`.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdall::api
