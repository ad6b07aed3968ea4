#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/error.h"
#include "base/fd.h"

namespace holdall::cli {

/// The words that run `holdall stdio` on a server: no shell line, and nothing in them that ssh takes for an
/// option. `attended`: somebody is there to type a password.
std::vector<std::string> ssh_argv(const app::Host& host, bool attended);

/// What keeps a connection by ssh from answering, in words with the remedy: `code` is ssh's exit code, `said`
/// what it wrote to stderr.
Error ssh_error(const app::Host& host, int code, const std::string& said);

/// One connection to the API of a server, through a process of the system's ssh that runs `holdall stdio`
/// there: whom ssh trusts, and its keys, agents and jump hosts, are those of ~/.ssh/config. The process ends
/// by itself once the socket is closed.
class SshConnection {
 public:
  /// Throws `missing` if there is no ssh.
  SshConnection(const app::Host& host, const std::map<std::string, std::string>& environment);
  ~SshConnection();
  SshConnection(const SshConnection&) = delete;

  Fd take_socket() { return std::move(socket_); }

  /// Of a connection that ended before its answer: waits for ssh to end, which it does or has done. `seen` if
  /// ssh itself has nothing to complain of.
  Error explain(const Error& seen);

 private:
  const app::Host host_;
  Fd socket_, said_;  ///< `said_`: what ssh writes to stderr
  pid_t pid_ = 0;     ///< 0: it is reaped
};

}  // namespace holdall::cli
