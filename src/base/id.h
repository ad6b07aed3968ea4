#pragma once

#include <compare>
#include <functional>
#include <string>

namespace holdall {

/// A name of one kind of thing, so that an instance's id cannot be passed where an app's name is wanted.
template <typename Tag>
struct Id {
  std::string value;

  auto operator<=>(const Id&) const = default;
  bool empty() const { return value.empty(); }
};

using AppName = Id<struct AppNameTag>;
using InstanceId = Id<struct InstanceIdTag>;  ///< random; its directory, its row and its shim bear it
using GroupId =
    Id<struct GroupIdTag>;  ///< `app/service@v3`: the instances of one service that one release started
using Digest = Id<struct DigestTag>;  ///< `sha256:` and 64 hex digits

/// 26 characters of Crockford's base32 in lower case: 48 bits of milliseconds, then 80 random bits, so that
/// ids sort by the time they were made. Thread-safe.
std::string random_id();

/// A version 4 UUID (RFC 9562), in lower case: what others expect of a request's id. Thread-safe.
std::string random_uuid();

/// 52 characters of the same alphabet, 256 random bits and no time: nobody guesses it. Thread-safe.
std::string random_token();

}  // namespace holdall

template <typename Tag>
struct std::hash<holdall::Id<Tag>> {
  std::size_t operator()(const holdall::Id<Tag>& id) const { return std::hash<std::string>()(id.value); }
};
