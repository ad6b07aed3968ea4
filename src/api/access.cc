#include "api/access.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/error.h"

namespace holdall::api {
namespace {

// Large enough for a group with some hundred members; a larger one counts as not found.
constexpr std::size_t kNameBuffer = 16 << 10;

struct Account {
  std::string name;
  gid_t group = 0;
};

std::optional<Account> account(unsigned uid) {
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(kNameBuffer);
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return Account{entry.pw_name, entry.pw_gid};
}

std::optional<gid_t> group_id(const std::string& name) {
  group entry;
  group* found = nullptr;
  std::vector<char> buffer(kNameBuffer);
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return std::nullopt;
  return entry.gr_gid;
}

Caller nobody(std::string name, std::string refusal) {
  return {.name = std::move(name), .role = std::nullopt, .apps = {}, .refusal = std::move(refusal)};
}

Caller of(const Person& person) {
  return {.name = person.name, .role = person.role, .apps = person.apps, .refusal = ""};
}

}  // namespace

Scope scope_of(std::string_view pattern) {
  return pattern == "/v1/apps/*" || pattern.starts_with("/v1/apps/*/") ? Scope::app : Scope::server;
}

bool Caller::may(Right right, std::string_view app) const {
  return role && *role >= right && (has_all_apps() || std::ranges::find(apps, app) != apps.end());
}

void Caller::check(Right right, Scope scope, std::string_view app) const {
  if (!role) throw Error(Error::denied, refusal);
  if (*role < right) {
    throw Error(
        Error::denied,
        fmt::format("{} has the role {}, and this needs {}: somebody with the role admin can give it, "
                    "see holdall access --help",
                    name, holdall::api::name(*role), holdall::api::name(right)));
  }
  if (has_all_apps() || scope == Scope::any) return;
  if (scope == Scope::server) {
    throw Error(Error::denied, fmt::format("{} may use {} only, and this is about the whole server", name,
                                           fmt::join(apps, ", ")));
  }
  if (may(right, app)) return;
  throw Error(Error::denied, fmt::format("{} may use {} only, not {}", name, fmt::join(apps, ", "), app));
}

Access::Access(unsigned owner, std::string group, const People& people, const Clock& clock)
    : owner_(owner), group_(std::move(group)), people_(people), clock_(clock) {}

bool Access::is_member(const net::Peer& peer) const {
  std::optional<gid_t> wanted = group_id(group_);
  if (!wanted) return false;
  if (peer.gid == *wanted) return true;
  std::optional<Account> caller = account(peer.uid);
  if (!caller) return false;
  std::array<gid_t, 256> groups;
  int count = groups.size();
  if (getgrouplist(caller->name.c_str(), caller->group, groups.data(), &count) < 0) return false;
  return std::find(groups.begin(), groups.begin() + count, *wanted) != groups.begin() + count;
}

Caller Access::local(const net::Peer& peer) const {
  std::string name = who(peer);
  if (peer.uid == 0 || peer.uid == owner_ || is_member(peer)) return {name, Right::admin, {}, ""};
  return nobody(name,
                fmt::format("{} may not use this server; ask for membership in group '{}'", name, group_));
}

Caller Access::introduced(const std::string& name) const {
  auto people = people_.all();
  auto found = std::ranges::find(*people, name, &Person::name);
  // A token's owner has no key here: nobody can have been let in by sshd under that name.
  if (found != people->end() && !found->keys.empty()) return of(*found);
  return nobody("nobody", "this key has no access any more; ask somebody with the role admin");
}

Caller Access::bearer(const net::Request& request) const {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view given = request.header("Authorization");
  std::string place = fmt::format("nobody ({})", request.remote);
  if (!given.starts_with(kScheme))
    return nobody(place, "a token is needed: HOLDALL_TOKEN_FILE names the file that holds it");
  std::string digest = sha256(given.substr(kScheme.size())).value;
  auto people = people_.all();
  auto found = std::ranges::find(*people, digest, &Person::token);
  if (found == people->end()) return nobody(place, "this token opens nothing here, or no more");
  if (found->expires && *found->expires <= clock_.wall()) {
    return nobody(found->name,
                  fmt::format("the token of {} was good until {}; holdall access add makes another",
                              found->name, rfc3339(*found->expires)));
  }
  return of(*found);
}

Caller Access::caller(const net::Request& request) const {
  if (request.listener == kTlsListener) return bearer(request);
  if (request.listener == kPeopleListener) return introduced(request.introduced);
  return local(request.peer);
}

bool Access::admits(const net::Request& request, Right right, Scope scope) const {
  if (request.listener != kTlsListener && request.listener != kPeopleListener) return true;
  try {
    caller(request).check(right, scope, app_of_path(request, scope));
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string app_of_path(const net::Request& request, Scope scope) {
  if (scope == Scope::app && !request.parameters.empty()) return request.parameters.front();
  return scope == Scope::any ? request.parameter("app").value_or("") : "";
}

std::string who(const net::Peer& peer) {
  std::optional<Account> caller = account(peer.uid);
  return caller ? fmt::format("uid {} ({})", peer.uid, caller->name) : fmt::format("uid {}", peer.uid);
}

}  // namespace holdall::api
