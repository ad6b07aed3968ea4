#include "app/reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/quantity.h"
#include "app/shell_words.h"

namespace holdall::app {

Reader Reader::operator[](std::string_view key) const {
  const Json* member = is_object() ? value_->find(key) : nullptr;
  return Reader(member, fmt::format("{}.{}", path_, key), faults_);
}

std::vector<Reader> Reader::items() const {
  std::vector<Reader> readers;
  if (!present()) return readers;
  if (!is_array()) {
    fault("must be a list");
    return readers;
  }
  for (const Json& item : value_->items())
    readers.emplace_back(&item, fmt::format("{}.{}", path_, readers.size()), faults_);
  return readers;
}

std::vector<std::pair<std::string, Reader>> Reader::members() const {
  std::vector<std::pair<std::string, Reader>> readers;
  if (!present()) return readers;
  if (!is_object()) {
    fault("must be a mapping");
    return readers;
  }
  for (const auto& [name, member] : value_->members()) {
    readers.emplace_back(name,
                         Reader(&member, path_.empty() ? name : fmt::format("{}.{}", path_, name), faults_));
  }
  return readers;
}

std::optional<std::string> Reader::text() const {
  if (!present()) return std::nullopt;
  if (is_string()) return value_->string();
  fault("must be a string", value_->is_number() || value_->is_bool() ? "put it in quotes" : "");
  return std::nullopt;
}

std::optional<bool> Reader::boolean() const {
  if (!present()) return std::nullopt;
  if (value_->is_bool()) return value_->boolean();
  fault("must be true or false");
  return std::nullopt;
}

std::optional<std::int64_t> Reader::integer(std::int64_t least, std::int64_t most) const {
  if (!present()) return std::nullopt;
  if (value_->is_int() && value_->integer() >= least && value_->integer() <= most) return value_->integer();
  fault(fmt::format("must be an integer from {} to {}", least, most));
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> Reader::duration() const {
  if (!present()) return std::nullopt;
  auto span = value_->is_string() ? parse_duration(value_->string()) : std::nullopt;
  if (span && span->count() >= 0) return span;
  fault(span ? "must not be negative" : "must be a duration", kDurationHint);
  return std::nullopt;
}

std::vector<std::string> Reader::texts() const {
  std::vector<std::string> list;
  for (const Reader& item : items()) {
    if (auto text = item.text()) list.push_back(std::move(*text));
  }
  return list;
}

std::vector<std::string> Reader::command() const {
  if (!is_string()) return texts();
  auto split = split_shell_words(value_->string());
  if (split && split->dropped.empty()) return split->words;
  fault(fmt::format("is no command line without a shell: {}", value_->string()),
        "write it for a shell: [\"sh\", \"-c\", \"...\"]");
  return {};
}

void Reader::allow_only(std::initializer_list<std::string_view> names) const {
  for (const auto& [name, member] : members()) {
    bool allowed = name.starts_with("x-") || std::ranges::find(names, name) != names.end();
    if (!allowed) member.fault("there is no such key", fmt::format("it takes {}", fmt::join(names, ", ")));
  }
}

}  // namespace holdall::app
