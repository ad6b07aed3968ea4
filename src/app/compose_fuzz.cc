#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "app/load.h"

using namespace holdall;
using namespace holdall::app;

namespace {

/// The input is compose.yaml, then other files, each after a line `=== NAME`.
std::map<std::string, std::string> split(std::string_view input) {
  constexpr std::string_view mark = "\n=== ";
  std::map<std::string, std::string> files;
  std::string name = "compose.yaml";
  while (true) {
    std::size_t end = input.find(mark);
    files[name] = input.substr(0, end);
    if (end == std::string_view::npos) return files;
    input.remove_prefix(end + mark.size());
    std::size_t line = std::min(input.find('\n'), input.size());
    name = input.substr(0, line);
    input.remove_prefix(std::min(line + 1, input.size()));
  }
}

void load_once(const std::map<std::string, std::string>& files, bool release) {
  LoadOptions options;
  options.working_dir = "/project";
  options.profiles = {"*"};
  options.release = release;
  if (!release) options.environment = {{"HOME", "/home/user"}, {"SET", "value"}};
  try {
    Loaded loaded = load_from(options, [&](const std::filesystem::path& path) -> std::optional<std::string> {
      auto found = files.find(path.lexically_relative("/project").string());
      return found == files.end() ? std::nullopt : std::optional(found->second);
    });
    to_yaml(loaded.model);
    // What a client reads from the file and a server from the model must be the same.
    if (!(parse_model(Json::parse(loaded.model.print())) == loaded.app)) std::abort();
    if (start_order(loaded.app).size() != loaded.app.services.size()) std::abort();
  } catch (const Error& error) {
    bool expected = error.kind() == Error::invalid || error.kind() == Error::missing;
    if (!expected) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto files = split(std::string_view(reinterpret_cast<const char*>(data), size));
  load_once(files, false);
  load_once(files, true);
  return 0;
}
