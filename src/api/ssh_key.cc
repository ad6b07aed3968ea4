#include "api/ssh_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"

namespace holdall::api {
namespace {

// What OpenSSH 9 takes; ssh-dss is not among them.
constexpr std::array<std::string_view, 7> kTypes{"ssh-ed25519",
                                                 "ssh-rsa",
                                                 "ecdsa-sha2-nistp256",
                                                 "ecdsa-sha2-nistp384",
                                                 "ecdsa-sha2-nistp521",
                                                 "sk-ssh-ed25519@openssh.com",
                                                 "sk-ecdsa-sha2-nistp256@openssh.com"};

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
  std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

/// The first string inside a key's bytes (RFC 4253 6.6), which is its type.
std::string_view type_inside(std::string_view blob) {
  constexpr std::size_t kLength = 4;
  if (blob.size() < kLength) return {};
  std::size_t size = 0;
  for (char c : blob.substr(0, kLength)) size = size << 8 | static_cast<unsigned char>(c);
  return size <= blob.size() - kLength ? blob.substr(kLength, size) : std::string_view();
}

/// Why the line is no key, or an empty string.
std::string fault_of(std::string_view type, std::string_view bytes) {
  if (std::ranges::find(kTypes, type) == kTypes.end()) {
    return fmt::format("a key begins with its type, one of {}; options are Holdall's to set",
                       fmt::join(kTypes, ", "));
  }
  std::optional<std::string> blob = base64_decode(bytes);
  if (!blob || type_inside(*blob) != type) return fmt::format("the bytes are no key of type {}", type);
  return "";
}

}  // namespace

std::vector<std::string> parse_ssh_keys(std::string_view text) {
  if (text.find("PRIVATE KEY") != text.npos) {
    throw Error(Error::invalid,
                "this is a private key, which stays where it is; send the .pub file beside it");
  }
  std::vector<std::string> keys;
  std::vector<Problem> problems;
  int number = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    std::string_view type = next_word(line), bytes = next_word(line);
    if (type.empty() || type.starts_with('#')) continue;
    std::string fault = fault_of(type, bytes);
    if (!fault.empty()) problems.push_back({{"key", number, 0}, fault, ""});
    keys.push_back(fmt::format("{} {}", type, bytes));
  }
  throw_if_any(problems);
  if (keys.empty()) throw Error(Error::invalid, "there is no SSH public key in it");
  return keys;
}

std::string fingerprint(const std::string& key) {
  std::string blob = base64_decode(key.substr(key.find(' ') + 1)).value_or("");
  std::string hex = sha256(blob).value.substr(sizeof "sha256:" - 1);
  std::string raw;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    raw += static_cast<char>(byte);
  }
  std::string text = base64(raw);
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

}  // namespace holdall::api
