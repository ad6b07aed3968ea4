#include "cli/token.h"

#include <fmt/format.h>

#include <mutex>

#include "base/error.h"
#include "base/files.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

void warn_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    Terminal errors(2, "auto");
    errors.line(
        errors.paint(Colour::yellow, "warning: ") +
        "HOLDALL_TOKEN is in the environment, where every process of this user can read it; keep the token "
        "in a file: HOLDALL_TOKEN_FILE");
  });
}

}  // namespace

Secret api_token() {
  constexpr std::size_t kLongest = 4096;
  auto variables = environment();
  std::string text;
  if (const std::string& file = variables["HOLDALL_TOKEN_FILE"]; !file.empty()) {
    text = read_file(file, kLongest);
  } else if (text = variables["HOLDALL_TOKEN"]; !text.empty()) {
    warn_once();
  } else {
    throw Error(
        Error::invalid,
        "https:// wants a token: HOLDALL_TOKEN_FILE names the file that holds it; `holdall access add NAME "
        "--token` makes one");
  }
  Secret token(std::string_view(text).substr(0, text.find_first_of("\r\n")));
  wipe(text);
  return token;
}

}  // namespace holdall::cli
