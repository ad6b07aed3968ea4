#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "net/server.h"

namespace holdall::net {

/// A server that runs in a thread of its own for as long as this lives, on a unix socket in a directory of
/// its own. `listener` comes without a socket.
class ServerThread {
 public:
  explicit ServerThread(std::vector<Route> routes, ServerOptions options = {}, Listener listener = {})
      : server_(std::move(routes), std::move(options)) {
    listener.socket = listen(address());
    server_.add_listener(std::move(listener));
    thread_ = std::thread([this] { server_.run(); });
  }
  ~ServerThread() {
    stop();
    std::filesystem::remove_all(directory_);
  }

  Address address() const { return {.host = "", .port = 0, .path = directory_ + "/s"}; }

  /// Returns once the server has.
  void stop() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  /// Only asks it to.
  void begin_stop() { server_.stop(); }

 private:
  static std::string make_directory() {
    std::string path = "/tmp/holdall-net-XXXXXX";
    return mkdtemp(path.data());
  }

  std::string directory_ = make_directory();
  Server server_;
  std::thread thread_;
};

}  // namespace holdall::net
