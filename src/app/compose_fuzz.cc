#include <algorithm>
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

using Files = std::map<std::string, std::string>;

ReadFile reader(const Files& files) {
  return [&files](const std::filesystem::path& path) -> std::optional<std::string> {
    auto found = files.find(path.lexically_relative("/project").string());
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
}

LoadOptions options_for(bool release) {
  LoadOptions options;
  options.working_dir = "/project";
  options.profiles = {"*"};
  options.release = release;
  if (!release) options.environment = {{"HOME", "/home/user"}, {"SET", "value"}};
  return options;
}

template <typename Try>
void expect_invalid(Try attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    bool expected = error.kind() == Error::invalid || error.kind() == Error::missing;
    if (!expected) std::abort();
  }
}

/// As the process engine is given it.
void load_once(const Files& files, bool release) {
  expect_invalid([&] {
    Loaded loaded = load_from(options_for(release), reader(files));
    // What a client reads from the file and a server from the model must be the same.
    if (!(parse_model(Json::parse(loaded.model.print())) == loaded.app)) std::abort();
    if (start_order(loaded.app).size() != loaded.app.services.size()) std::abort();
  });
}

bool has_dollar_key(const Json& value) {
  if (value.is_array()) return std::ranges::any_of(value.items(), has_dollar_key);
  if (!value.is_object()) return false;
  return std::ranges::any_of(value.members(), [](const Json::Member& member) {
    return member.first.find('$') != std::string::npos || has_dollar_key(member.second);
  });
}

/// As `config` prints it; every file of the input is merged, one onto the other, when `all` is set.
void print_once(const Files& files, const Steps& steps, bool all) {
  expect_invalid([&] {
    LoadOptions options = options_for(false);
    options.specification_alone = true;
    options.steps = steps;
    if (all) {
      for (const auto& [name, text] : files) options.files.push_back("/project/" + name);
    }
    const bool raw = !steps.interpolate;
    const Loaded loaded = read_from(options, reader(files));
    Json::parse(to_json_text(loaded.model, raw));
    const std::string printed = to_yaml(loaded.model, raw);
    if (raw) return;
    // What is printed is a compose file, and of the same project; but keys, in which dollars are doubled as
    // the reference does it, are no templates when they are read.
    if (has_dollar_key(loaded.model)) return;
    LoadOptions again = options_for(false);
    again.specification_alone = true;
    const Files one = {{"compose.yaml", printed}};
    const Loaded second = read_from(again, reader(one));
    if (to_yaml(second.model) != printed) std::abort();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Files files = split(std::string_view(reinterpret_cast<const char*>(data), size));
  load_once(files, false);
  load_once(files, true);
  print_once(files, {}, false);
  print_once(files, {}, true);
  print_once(files, {.interpolate = false, .resolve_env = false}, false);
  return 0;
}
