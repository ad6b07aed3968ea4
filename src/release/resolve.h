#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/id.h"
#include "engine/engine.h"
#include "supervise/supervise.h"

namespace holdall::release {

/// What a group takes from its release.
struct ResolveFor {
  int number = 0;
  std::string environment;  ///< HOLDALL_ENV
  bool development = false;
  std::map<std::string, std::uint16_t> service_ports;  ///< of all services of the app that have one
  std::uint32_t uid = 0;                               ///< the service's own user; 0: the engine's
};

/// The service with every name resolved: what the supervisor is to want. The same arguments give the same
/// group.
supervise::Group resolve(const app::App& app, const app::Service& service, const Digest& artefact,
                         const ResolveFor& release);

/// Number `which` (from 0) of the service's release commands, as a group of its own: one instance, named
/// `web.release`, that is never started again.
supervise::Group resolve_command(const app::App& app, const app::Service& service, std::size_t which,
                                 const Digest& artefact, const ResolveFor& release);

/// Which limits of which services this server's machine does not enforce, for people.
std::vector<std::string> unenforced_limits(const engine::Engine& engine, const app::App& app);

/// A one-off of the service, as a group of its own: one instance, named `web.run`, that is never started
/// again.
supervise::Group resolve_one_off(const app::App& app, const app::Service& service, const std::string& tag,
                                 const Digest& artefact, const ResolveFor& release);

/// "cache-db" -> "CACHE_DB".
std::string variable_stem(const std::string& service);

}  // namespace holdall::release
