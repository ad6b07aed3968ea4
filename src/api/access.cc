#include "api/access.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/log.h"

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

}  // namespace

Access::Access(unsigned owner, std::string group) : owner_(owner), group_(std::move(group)) {}

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

void Access::check(const net::Peer& peer) const {
  if (peer.uid == 0 || peer.uid == owner_ || is_member(peer)) return;
  throw Error(Error::denied,
              fmt::format("{} may not use this server; ask for membership in group '{}'", who(peer), group_));
}

std::string who(const net::Peer& peer) {
  std::optional<Account> caller = account(peer.uid);
  return caller ? fmt::format("uid {} ({})", peer.uid, caller->name) : fmt::format("uid {}", peer.uid);
}

void record(const net::Request& request, int status) {
  log::info("api.change",
            fmt::format("{} {} by {}: {}", request.method, request.path, who(request.peer), status),
            Json::object({{"method", request.method},
                          {"path", request.path},
                          {"uid", request.peer.uid},
                          {"pid", request.peer.pid},
                          {"status", status}}));
}

}  // namespace holdall::api
