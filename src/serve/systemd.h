#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace holdall::serve {

/// What serve says to the service manager that started it (sd_notify(3)), and the descriptors that the
/// manager keeps for it while serve itself is not there: a connection made between two serves waits for the
/// second one. Without a manager every call is nothing. A manager that does not listen stops nobody.
class Systemd {
 public:
  Systemd();

  bool there() const { return !address_.empty(); }

  /// Lines of NAME=VALUE.
  void tell(std::string_view lines) const;
  /// RELOADING=1 with its time.
  void reloading() const;

  /// Keeps a duplicate of `fd` under `name` until `drop`: blanks and printable ASCII, up to 255 characters; a
  /// name that is no such thing keeps nothing.
  void keep(const std::string& name, const Fd& fd) const;
  void drop(const std::string& name) const;

  struct Kept {
    std::string name;
    Fd fd;
  };
  /// What it kept for the serve before this one. Once: it takes the variables out of the environment.
  static std::vector<Kept> take_kept();

 private:
  void send(std::string_view lines, int fd) const;

  std::string address_;  ///< of its socket, "@" for an abstract one; empty: no manager
};

/// Any text as a name that a manager keeps, and back.
std::string encode_name(std::string_view text);
std::string decode_name(std::string_view name);

}  // namespace holdall::serve
