#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/secret.h"
#include "base/time.h"
#include "net/url.h"

namespace boredbot {

/// One application of a Parse-style REST API and the key that speaks for it. What a call throws is for
/// people: it names the API and what it said, never the key. `denied`: the API takes this key for nobody's;
/// `busy`: no answer in time; `failed`: an answer that is none. Thread-safe.
class Account {
 public:
  /// `name` is what errors call it; `url` is the API's, up to what stands before `/classes`.
  Account(std::string name, holdall::net::Url url, std::string application_id, holdall::Secret key);

  /// Adds a row to a class. A call that was given up may have added it all the same.
  void create(std::string_view kind, const holdall::Json& fields, holdall::Deadline deadline) const;

  /// The newest rows of a class, by `order` ("createdAt"), the newest first, `limit` at most.
  std::vector<holdall::Json> newest(std::string_view kind, std::string_view order, int limit,
                                    holdall::Deadline deadline) const;

 private:
  holdall::Json call(std::string_view method, const std::string& path, std::string body, int expected,
                     holdall::Deadline deadline) const;

  const std::string name_;
  const holdall::net::Url url_;
  const std::string application_id_;
  const holdall::Secret key_;
};

}  // namespace boredbot
