#include "release/uids.h"

#include <fmt/format.h>
#include <pwd.h>

#include <array>
#include <random>

#include "base/error.h"
#include "release/rows.h"

namespace holdall::release {
namespace {

bool is_account(std::uint32_t uid) {
  passwd row;
  passwd* found = nullptr;
  std::array<char, 4096> buffer;
  return getpwuid_r(uid, &row, buffer.data(), buffer.size(), &found) == 0 && found;
}

/// Anywhere in the range, so that two servers on one machine hardly ever choose the same.
std::uint32_t choose(const UidRange& range, const std::set<std::uint32_t>& given) {
  const std::uint64_t size = std::uint64_t{range.last} - range.first + 1;
  std::random_device random;
  const std::uint64_t begin = random() % size;
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto uid = static_cast<std::uint32_t>(range.first + (begin + i) % size);
    if (!given.contains(uid) && !is_account(uid)) return uid;
  }
  throw Error(Error::invalid,
              fmt::format("every user from {} to {} was given to a service already; set HOLDALL_UIDS to a "
                          "larger range",
                          range.first, range.last));
}

}  // namespace

void give_service_uids(store::Transaction& t, const app::App& app, const UidRange& range) {
  const auto has = service_uids(t, app.name);
  std::set<std::uint32_t> given = all_service_uids(t);
  for (const auto& [name, service] : app.services) {
    if (has.contains(name)) continue;
    const std::uint32_t uid = choose(range, given);
    given.insert(uid);
    insert_service_uid(t, app.name, name, uid);
  }
}

}  // namespace holdall::release
