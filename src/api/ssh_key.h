#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdall::api {

/// The public keys of `text`, a line each as in an `id_ed25519.pub`, without their comments: "TYPE BASE64".
/// Empty lines and those that begin with # are passed over. Throws `invalid` with every problem: a private
/// key, options before the key, a type that sshd takes no more, bytes that are no key, no key at all.
std::vector<std::string> parse_ssh_keys(std::string_view text);

/// "SHA256:..." as ssh-keygen -l prints it.
std::string fingerprint(const std::string& key);

}  // namespace holdall::api
