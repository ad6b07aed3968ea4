#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"
#include "base/json.h"
#include "base/time.h"
#include "store/store.h"

namespace holdall::api {

/// What a route's row asks for; each holds those before it. All but `read` are recorded with the caller. A
/// person's role is the highest right that they have.
enum class Right : std::uint8_t {
  read,
  run,     ///< programs beside the app's instances, and its instances
  deploy,  ///< what runs, and with which settings
  admin,   ///< what cannot be taken back, and who may do what
};
std::string_view name(Right right);
Right parse_right(std::string_view name);  ///< throws `invalid` naming those there are

/// Somebody who may use the API from elsewhere: by SSH keys or by a token. A value.
struct Person {
  std::string name;
  Right role = Right::read;
  std::vector<std::string> apps;  ///< empty: every app, and the server itself
  std::vector<std::string> keys;  ///< "TYPE BASE64"; empty for who has a token
  std::string token;              ///< its digest; empty for who has keys
  std::optional<WallTime> expires;
  WallTime created;
  std::string created_by;

  bool operator==(const Person&) const = default;
};
Json to_json(const Person& person);

/// How people reach the server by SSH.
struct SshDoor {
  std::filesystem::path authorized_keys;  ///< of the user that they log in as; empty: there is no such user
  std::filesystem::path socket;           ///< where their connections are introduced
  std::filesystem::path program;          ///< this one
};

/// Who may use the API beside root and the group's members: rows, and sshd's file made from them. Every key
/// there runs `holdall stdio --as NAME` and nothing else. Thread-safe.
class People {
 public:
  using All = std::vector<Person>;

  /// Writes sshd's file anew: what stood there may be older than the rows.
  People(store::Database& database, SshDoor door);

  std::shared_ptr<const All> all() const;  ///< by name; never waits for the disk

  /// False when the same person is there with the same rights and keys. Throws `conflict` when the name or a
  /// key is somebody's, `invalid` when keys cannot come in here.
  bool add(const Person& person);
  void remove(const std::string& name);  ///< throws `missing`

 private:
  void load();
  void publish();

  store::Database& database_;
  const SshDoor door_;
  std::mutex changing_;  ///< one change after another: the rows, the file, what `all` gives
  mutable Guarded<std::shared_ptr<const All>> all_;
};

/// What stands in authorized_keys for these people.
std::string authorized_keys(const People::All& people, const SshDoor& door);

}  // namespace holdall::api
