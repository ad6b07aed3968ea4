// Many compose files through the reader in one process: what it takes once a process's own start is paid for,
// and libyaml's bare parser over the same bytes.
//   config_many [--once]     the files' absolute paths on stdin, one a line
// Prints one JSON object: files, bytes, and seconds of processor time a round for parsing alone, reading, and
// printing.
#include <yaml.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/app.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

using namespace holdall;

namespace {

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Seconds a round: rounds until they have taken a second, so that a timer's grain is nothing beside it.
template <typename Round>
double measure(bool once, Round round) {
  const double begun = processor_seconds();
  int rounds = 0;
  do {
    round();
    ++rounds;
  } while (!once && processor_seconds() - begun < 1);
  return (processor_seconds() - begun) / rounds;
}

void parse_bare(std::string_view text) {
  yaml_parser_t parser;
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  for (bool more = true; more;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&parser, &event)) break;
    more = event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
}

app::LoadOptions options_for(const std::filesystem::path& file) {
  app::LoadOptions options;
  options.files = {file};
  options.working_dir = file.parent_path();
  options.profiles = {"*"};
  options.environment = {{"HOME", "/home/user"}, {"PATH", "/usr/bin:/bin"}};
  options.specification_alone = true;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const bool once = argc > 1 && std::string_view(argv[1]) == "--once";
  std::vector<std::filesystem::path> files;
  for (std::string line; std::getline(std::cin, line);) files.emplace_back(line);
  std::vector<std::string> texts;
  std::size_t bytes = 0, rejected = 0, printed = 0;
  for (const auto& file : files) {
    texts.push_back(read_file(file));
    bytes += texts.back().size();
  }
  std::vector<Json> models;
  const double parse = measure(once, [&] {
    for (const std::string& text : texts) parse_bare(text);
  });
  const double read = measure(once, [&] {
    models.clear();
    rejected = 0;
    for (const auto& file : files) {
      try {
        models.push_back(app::read_project(options_for(file)).model);
      } catch (const Error&) {
        ++rejected;
      }
    }
  });
  const double print = measure(once, [&] {
    for (const Json& model : models) printed += app::to_yaml(model).size();
  });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::puts(Json::object({{"files", files.size()},
                          {"rejected", rejected},
                          {"bytes", bytes},
                          {"parse_s", parse},
                          {"read_s", read},
                          {"print_s", print},
                          {"peak_kb", usage.ru_maxrss}})
                .print()
                .c_str());
  return printed > 0 ? 0 : 1;
}
