#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "wire/wire.h"

namespace holdall::wire {
namespace {

// Its kind, and the size of its data in 32 bits.
constexpr std::size_t kHead = 5;

std::uint8_t byte(char c) { return static_cast<std::uint8_t>(c); }

Json list(const std::vector<std::string>& words) {
  Json all = Json::array();
  for (const std::string& word : words) all.add(word);
  return all;
}

std::vector<std::string> parse_list(const Json& json) {
  std::vector<std::string> words;
  for (const Json& word : json.items()) words.push_back(word.string());
  return words;
}

const Json* find(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found && !found->is_null() ? found : nullptr;
}

}  // namespace

Json to_json(const ProgramRequest& request) {
  Json environment = Json::object();
  for (const auto& [name, value] : request.environment) environment[name] = value;
  Json json = Json::object({{"service", request.service},
                            {"command", list(request.command)},
                            {"environment", environment},
                            {"working_dir", request.working_dir},
                            {"user", request.user},
                            {"index", request.index},
                            {"detach", request.detach}});
  if (request.entrypoint) json["entrypoint"] = list(*request.entrypoint);
  if (request.terminal) {
    json["terminal"] =
        Json::object({{"columns", request.terminal->columns}, {"rows", request.terminal->rows}});
  }
  return json;
}

ProgramRequest parse_program_request(const Json& json) {
  ProgramRequest request;
  request.service = json.at("service").string();
  request.index = static_cast<int>(json.integer_or("index", 0));
  if (const Json* command = find(json, "command")) request.command = parse_list(*command);
  if (const Json* entrypoint = find(json, "entrypoint")) request.entrypoint = parse_list(*entrypoint);
  if (const Json* environment = find(json, "environment")) {
    for (const auto& [name, value] : environment->members()) {
      if (name.empty() || name.find('=') != name.npos)
        throw Error(Error::invalid, fmt::format("'{}' is no variable's name", name));
      request.environment[name] = value.string();
    }
  }
  request.working_dir = json.string_or("working_dir", "");
  request.user = json.string_or("user", "");
  request.detach = json.boolean_or("detach", false);
  if (const Json* terminal = find(json, "terminal")) {
    request.terminal = {static_cast<std::uint16_t>(terminal->integer_or("columns", 80)),
                        static_cast<std::uint16_t>(terminal->integer_or("rows", 24))};
  }
  return request;
}

std::string frame(Frame::Kind kind, std::string_view data) {
  std::string out(1, kind);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(data.size() >> shift & 0xff);
  return out.append(data);
}

std::string window_data(WindowSize size) {
  std::string out;
  for (std::uint16_t number : {size.columns, size.rows}) {
    out += static_cast<char>(number >> 8);
    out += static_cast<char>(number & 0xff);
  }
  return out;
}

WindowSize parse_window(std::string_view data) {
  if (data.size() != 4) throw Error(Error::invalid, "a window's size has four bytes");
  auto number = [&](std::size_t at) {
    return static_cast<std::uint16_t>(byte(data[at]) << 8 | byte(data[at + 1]));
  };
  return {number(0), number(2)};
}

std::optional<Frame> FrameReader::next() {
  std::string_view rest = std::string_view(bytes_).substr(used_);
  std::size_t size = 0;
  for (std::size_t i = 1; i < std::min(kHead, rest.size()); ++i) size = size << 8 | byte(rest[i]);
  if (rest.size() >= kHead && size > kLargestFrame)
    throw Error(Error::invalid, fmt::format("a message of {} bytes is larger than {}", size, kLargestFrame));
  if (rest.size() < kHead || rest.size() - kHead < size) {
    bytes_.erase(0, std::exchange(used_, 0));
    return std::nullopt;
  }
  used_ += kHead + size;
  return Frame{static_cast<Frame::Kind>(rest[0]), std::string(rest.substr(kHead, size))};
}

}  // namespace holdall::wire
