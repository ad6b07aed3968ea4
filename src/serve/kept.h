#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "net/address.h"
#include "net/handover.h"

namespace holdall::serve {

/// A message to send; its descriptors are lent by Kept until it next changes.
struct Message {
  Json body;
  std::vector<int> fds = {};
};

/// What control has entrusted to its parent, so that it outlives control and router: listeners, the last
/// route table, read ends of instances' output pipes.
class Kept {
 public:
  /// Does what a request of control asks (docs/formats/processes.md) and gives the answer; `router` receives
  /// what a running router is to be told. Throws what an error's answer shall say; nothing has changed then.
  Message handle(net::Handover& request, std::vector<Message>& router);

  /// What a new router is told.
  std::vector<Message> all() const;

 private:
  struct Listener {
    net::Address address;
    Fd socket;
  };

  void bind(const Json& request, std::vector<Message>& router);
  void keep_only(const Json& request, std::vector<Message>& router);

  std::map<std::string, Listener> listeners_;
  Fd table_;
  std::map<std::string, std::pair<Fd, Fd>> outputs_;  ///< instance -> (out, err)
};

}  // namespace holdall::serve
