#include "base/secret_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

namespace holdall {
namespace {

// A whole word of the name: a KEYBOARD, a PASSENGER and a TOKENIZER are none of these.
constexpr std::array<std::string_view, 11> kSecretWords{"password",   "passwd",      "pass",      "pwd",
                                                        "passphrase", "secret",      "token",     "key",
                                                        "apikey",     "credentials", "credential"};

// At its end even where no word begins: MYSQLPASSWORD, USERPASS.
constexpr std::array<std::string_view, 4> kSecretEnds{"password", "passwd", "secret", "apikey"};

// At its end they make it the name of something else: a place, a size, a yes or no.
constexpr std::array<std::string_view, 36> kHarmlessEnds{
    "file",     "path",     "dir",   "name",   "url",       "uri",     "enabled", "disabled", "expiry",
    "ttl",      "length",   "id",    "prefix", "timeout",   "expires", "header",  "required", "policy",
    "duration", "type",     "days",  "hours",  "minutes",   "seconds", "host",    "hostname", "port",
    "user",     "username", "email", "size",   "algorithm", "domain",  "version", "mode",     "level"};

/// "dbPassword_2" -> db, password, 2
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  bool begins = true, after_small = false;
  for (char each : name) {
    const auto letter = static_cast<unsigned char>(each);
    if (!std::isalnum(letter)) {
      begins = true;
      continue;
    }
    if (begins || (std::isupper(letter) && after_small)) words.emplace_back();
    begins = false;
    after_small = std::islower(letter) != 0;
    words.back() += static_cast<char>(std::tolower(letter));
  }
  return words;
}

}  // namespace

bool names_a_secret(std::string_view name) {
  // A name of a megabyte is none.
  constexpr std::size_t kLongest = 200;
  if (name.size() > kLongest) return false;
  const std::vector<std::string> words = words_of(name);
  if (words.empty() || std::ranges::count(kHarmlessEnds, words.back()) || std::ranges::count(words, "public"))
    return false;
  return std::ranges::any_of(words, [](const std::string& word) {
    return std::ranges::count(kSecretWords, word) ||
           std::ranges::any_of(kSecretEnds, [&](std::string_view end) { return word.ends_with(end); });
  });
}

}  // namespace holdall
