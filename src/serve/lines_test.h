#pragma once

#include <poll.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "base/json.h"
#include "base/time.h"

namespace holdall::serve {

/// JSON objects over a stream, a line each: how the tests speak with the parts they have started.
class Lines {
 public:
  explicit Lines(Fd socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.get(); }
  void say(const Json& line) { write_all(socket_.get(), line.print() + "\n"); }

  /// Nothing when the other end has gone, or has said nothing for ten seconds.
  std::optional<Json> hear() {
    std::string line;
    char byte;
    for (;;) {
      ssize_t got = read(socket_.get(), &byte, 1);
      if (got == 1 && byte == '\n') return Json::parse(line);
      if (got == 1) line += byte;
      if (got == 0) return std::nullopt;
      pollfd wait{socket_.get(), POLLIN, 0};
      if (got < 0 && poll(&wait, 1, 10'000) == 0) return std::nullopt;
    }
  }

 private:
  Fd socket_;
};

}  // namespace holdall::serve
