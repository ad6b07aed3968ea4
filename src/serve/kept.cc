#include "serve/kept.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/failpoint.h"
#include "net/socket.h"
#include "serve/passing.h"

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

// What the manager keeps: a listener by this word, its name and its address, and the table.
constexpr std::string_view kListen = "listen ";
constexpr const char* kTable = "table";
constexpr const char *kLogRead = "requests.read", *kLogWrite = "requests.write";

std::string manager_name(const std::string& name, const net::Address& address) {
  return encode_name(fmt::format("{}{} {}", kListen, name, net::text(address)));
}

// A release may run through as many upgrades and still say what it cost.
constexpr std::size_t kCounted = 8;

}  // namespace

Kept::Kept(const Systemd& systemd) : systemd_(systemd) {
  for (Systemd::Kept& one : Systemd::take_kept()) {
    std::string name = decode_name(one.name);
    auto blank = name.rfind(' ');
    if (name == kTable) {
      table_ = std::move(one.fd);
    } else if (name == kLogRead) {
      log_pipe_.read = std::move(one.fd);
    } else if (name == kLogWrite) {
      log_pipe_.write = std::move(one.fd);
    } else if (name.starts_with(kListen) && blank >= kListen.size()) {
      net::Address address = net::parse_address(name.substr(blank + 1));
      listeners_[name.substr(kListen.size(), blank - kListen.size())] = {address, std::move(one.fd)};
    }
  }
}

Json Kept::passed() const {
  Json out =
      Json::object({{"listeners", Json::array()}, {"outputs", Json::array()}, {"counted", Json::array()}});
  for (const auto& [name, listener] : listeners_) {
    out["listeners"].add(Json::object(
        {{"name", name}, {"address", net::text(listener.address)}, {"socket", pass(listener.socket)}}));
  }
  if (table_) out["table"] = pass(table_);
  for (const auto& [instance, ends] : outputs_) {
    out["outputs"].add(
        Json::object({{"instance", instance}, {"out", pass(ends.first)}, {"err", pass(ends.second)}}));
  }
  for (const auto& [epoch, memfd] : counted_) {
    out["counted"].add(Json::object({{"epoch", epoch}, {"memfd", pass(memfd)}}));
  }
  return out;
}

void Kept::resume(const Json& passed) {
  for (const Json& one : passed.at("listeners").items()) {
    listeners_[one.at("name").string()] = {net::parse_address(one.at("address").string()),
                                           take(one.at("socket"))};
  }
  if (const Json* table = passed.find("table")) table_ = take(*table);
  for (const Json& one : passed.at("outputs").items()) {
    outputs_[one.at("instance").string()] = {take(one.at("out")), take(one.at("err"))};
  }
  for (const Json& one : passed.at("counted").items()) {
    counted_.emplace_back(one.at("epoch").string(), take(one.at("memfd")));
  }
}

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
    keep_table(std::move(request.fds[0]));
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
  if (known != listeners_.end()) {
    systemd_.drop(manager_name(name, known->second.address));
    router.push_back(unlisten_message(name));
  }
  Listener& listener = listeners_[name] = std::move(fresh);
  systemd_.keep(manager_name(name, address), listener.socket);
  router.push_back(listen_message(name, listener.socket));
  failpoint("serve.bind.after");
}

void Kept::keep_only(const Json& request, std::vector<Message>& router) {
  std::set<std::string> names;
  for (const Json& name : request.at("names").items()) names.insert(name.string());
  std::erase_if(listeners_, [&](const auto& listener) {
    bool closes = !names.contains(listener.first);
    if (closes) {
      systemd_.drop(manager_name(listener.first, listener.second.address));
      router.push_back(unlisten_message(listener.first));
    }
    return closes;
  });
}

void Kept::keep_table(Fd table) {
  table_ = std::move(table);
  systemd_.drop(kTable);
  systemd_.keep(kTable, table_);
}

Pipe Kept::log_pipe() {
  if (log_pipe_.read && log_pipe_.write) return std::move(log_pipe_);
  Pipe pipe = make_pipe(O_NONBLOCK);
  systemd_.keep(kLogRead, pipe.read);
  systemd_.keep(kLogWrite, pipe.write);
  return pipe;
}

void Kept::keep_counted(const std::string& epoch, Fd memfd) {
  counted_.emplace_back(epoch, std::move(memfd));
  if (counted_.size() > kCounted) counted_.pop_front();
}

std::vector<Message> Kept::counted() const {
  std::vector<Message> out;
  for (const auto& [epoch, memfd] : counted_) {
    out.push_back({Json::object({{"type", "counted"}, {"epoch", epoch}}), {memfd.get()}});
  }
  return out;
}

std::vector<Message> Kept::all() const {
  std::vector<Message> out;
  for (const auto& [name, listener] : listeners_) out.push_back(listen_message(name, listener.socket));
  // After the listeners, so that the table finds those that it names.
  if (table_) out.push_back({Json::object({{"type", "table"}}), {table_.get()}});
  return out;
}

}  // namespace holdall::serve
