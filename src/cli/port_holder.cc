#include "cli/port_holder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/files.h"

namespace holdall::cli {
namespace {

namespace fs = std::filesystem;

/// The inodes of sockets that listen on `port` (proc(5), /proc/net/tcp).
std::set<std::string> listening(std::uint16_t port) {
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
          inode;
      constexpr std::string_view kListens = "0A";
      if (state == kListens && local.ends_with(fmt::format(":{:04X}", port))) inodes.insert(inode);
    }
  }
  return inodes;
}

bool holds(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(process / "fd", none)) {
    std::string target = fs::read_symlink(entry.path(), none).string();
    constexpr std::string_view kSocket = "socket:[";
    if (!target.starts_with(kSocket)) continue;
    if (inodes.contains(target.substr(kSocket.size(), target.size() - kSocket.size() - 1))) return true;
  }
  return false;
}

}  // namespace

std::string holder_of_port(std::uint16_t port) {
  std::set<std::string> inodes = listening(port);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    std::string pid = entry.path().filename().string();
    bool process = std::ranges::all_of(pid, [](unsigned char c) { return std::isdigit(c); });
    if (!process || inodes.empty() || !holds(entry.path(), inodes)) continue;
    std::string name = read_file_if_exists(entry.path() / "comm").value_or("");
    while (name.ends_with('\n')) name.pop_back();
    return fmt::format("{} (pid {})", name, pid);
  }
  return "somebody";
}

}  // namespace holdall::cli
