#include "serve/kept.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/failpoint.h"
#include "net/socket.h"

namespace holdall::serve {
namespace {

Json ok() { return Json::object({{"type", "ok"}}); }

Message listen_message(const std::string& name, const Fd& socket) {
  return {Json::object({{"type", "listen"}, {"name", name}}), {socket.get()}};
}

Message unlisten_message(const std::string& name) {
  return {Json::object({{"type", "unlisten"}, {"name", name}})};
}

void expect_fds(const net::Handover& request, std::size_t count) {
  if (request.fds.size() == count) return;
  throw Error(Error::invalid, fmt::format("message '{}' came with {} descriptors, not {}",
                                          request.body.at("type").string(), request.fds.size(), count));
}

}  // namespace

Message Kept::handle(net::Handover& request, std::vector<Message>& router) {
  const std::string& type = request.body.at("type").string();
  if (type == "bind") {
    expect_fds(request, 0);
    bind(request.body, router);
    return {ok()};
  }
  if (type == "keep_only") {
    expect_fds(request, 0);
    keep_only(request.body, router);
    return {ok()};
  }
  if (type == "keep_table") {
    expect_fds(request, 1);
    failpoint("serve.table.before");
    table_ = std::move(request.fds[0]);
    failpoint("serve.table.after");
    return {ok()};
  }
  if (type == "keep_output") {
    expect_fds(request, 2);
    const std::string& instance = request.body.at("instance").string();
    failpoint("serve.keep.before");
    outputs_[instance] = {std::move(request.fds[0]), std::move(request.fds[1])};
    failpoint("serve.keep.after");
    return {ok()};
  }
  if (type == "take_output") {
    expect_fds(request, 0);
    auto found = outputs_.find(request.body.at("instance").string());
    Message answer{ok()};
    answer.body["found"] = found != outputs_.end();
    if (found != outputs_.end()) answer.fds = {found->second.first.get(), found->second.second.get()};
    return answer;
  }
  if (type == "drop_output") {
    expect_fds(request, 0);
    outputs_.erase(request.body.at("instance").string());
    return {ok()};
  }
  throw Error(Error::invalid, fmt::format("serve knows no message '{}'", type));
}

void Kept::bind(const Json& request, std::vector<Message>& router) {
  const std::string& name = request.at("name").string();
  net::Address address = net::parse_address(request.at("address").string());
  auto known = listeners_.find(name);
  if (known != listeners_.end() && known->second.address == address) return;
  failpoint("serve.bind.before");
  Listener fresh{address, net::listen(address)};
  if (known != listeners_.end()) router.push_back(unlisten_message(name));
  Listener& listener = listeners_[name] = std::move(fresh);
  router.push_back(listen_message(name, listener.socket));
  failpoint("serve.bind.after");
}

void Kept::keep_only(const Json& request, std::vector<Message>& router) {
  std::set<std::string> names;
  for (const Json& name : request.at("names").items()) names.insert(name.string());
  std::erase_if(listeners_, [&](const auto& listener) {
    bool closes = !names.contains(listener.first);
    if (closes) router.push_back(unlisten_message(listener.first));
    return closes;
  });
}

std::vector<Message> Kept::all() const {
  std::vector<Message> out;
  for (const auto& [name, listener] : listeners_) out.push_back(listen_message(name, listener.socket));
  // After the listeners, so that the table finds those that it names.
  if (table_) out.push_back({Json::object({{"type", "table"}}), {table_.get()}});
  return out;
}

}  // namespace holdall::serve
