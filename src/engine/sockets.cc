#include "engine/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/files.h"

namespace holdall::engine {
namespace {

using Inodes = std::set<unsigned long long>;

void add_sockets(pid_t pid, Inodes& inodes) {
  std::string directory = fmt::format("/proc/{}/fd", pid);
  std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
  while (dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    std::array<char, 64> target{};
    std::string link = fmt::format("{}/{}", directory, entry->d_name);
    unsigned long long inode;
    if (readlink(link.c_str(), target.data(), target.size() - 1) > 0 &&
        std::sscanf(target.data(), "socket:[%llu]", &inode) == 1) {
      inodes.insert(inode);
    }
  }
}

/// An address as /proc/net/tcp prints it: the bytes of each 32-bit word in the machine's order, in hex.
net::Address parse_hex_address(const char* hex, unsigned port) {
  std::array<std::uint32_t, 4> words{};
  std::size_t count = std::strlen(hex) / 8;
  for (std::size_t i = 0; i < count && i < words.size(); ++i) std::sscanf(hex + 8 * i, "%8x", &words[i]);
  sockaddr_storage storage{};
  if (count == 1) {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&address.sin_addr, words.data(), sizeof address.sin_addr);
  } else {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&address.sin6_addr, words.data(), sizeof address.sin6_addr);
  }
  return net::address_of(storage);
}

void add_listeners(const std::string& table, const Inodes& inodes, std::vector<Listener>& listeners) {
  constexpr unsigned kListen = 0x0a;
  std::istringstream lines(table);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::array<char, 40> address{};
    unsigned port = 0, state = 0;
    unsigned long long inode = 0;
    int fields = std::sscanf(line.c_str(), " %*d: %39[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %llu",
                             address.data(), &port, &state, &inode);
    if (fields != 4 || state != kListen || !inodes.contains(inode)) continue;
    Listener listener{parse_hex_address(address.data(), port)};
    if (std::ranges::find(listeners, listener) == listeners.end()) listeners.push_back(std::move(listener));
  }
}

}  // namespace

std::vector<Listener> listening(const std::vector<pid_t>& processes) {
  Inodes inodes;
  for (pid_t pid : processes) add_sockets(pid, inodes);
  std::vector<Listener> listeners;
  if (inodes.empty()) return listeners;
  for (const char* table : {"tcp", "tcp6"}) {
    // All processes of an instance are in one network; the first that still lives shows it.
    for (pid_t pid : processes) {
      try {
        add_listeners(read_file(fmt::format("/proc/{}/net/{}", pid, table)), inodes, listeners);
        break;
      } catch (const Error&) {
      }
    }
  }
  return listeners;
}

}  // namespace holdall::engine
