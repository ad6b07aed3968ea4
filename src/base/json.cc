#include "base/json.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "base/error.h"

namespace holdall {
namespace {

constexpr std::size_t kMaxDepth = 100;

/// Builds a Json from the parser's events. Numbers are converted here: the parser's own doubles are not
/// exact.
class Builder {
 public:
  static constexpr std::size_t max_object_size = -1;
  static constexpr std::size_t max_array_size = -1;
  static constexpr std::size_t max_key_size = -1;
  static constexpr std::size_t max_string_size = -1;

  using Text = boost::json::string_view;
  using Code = boost::json::error_code;

  Json result;
  std::string fault;  ///< set when an event is refused; the parser's own faults are in its error code

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return open(Json::object()); }
  bool on_object_end(std::size_t, Code&) { return close(); }
  bool on_array_begin(Code&) { return open(Json::array()); }
  bool on_array_end(std::size_t, Code&) { return close(); }
  bool on_key_part(Text part, std::size_t, Code&) { return append(part); }
  bool on_key(Text part, std::size_t, Code& code) {
    append(part);
    Level& level = levels_.back();
    level.key = std::exchange(text_, {});
    if (level.names.insert(level.key).second) return true;
    fault = fmt::format("duplicate name {}", json_quote(level.key));
    code = boost::json::error::syntax;
    return false;
  }
  bool on_string_part(Text part, std::size_t, Code&) { return append(part); }
  bool on_string(Text part, std::size_t, Code&) {
    append(part);
    return put(Json(std::exchange(text_, {})));
  }
  bool on_number_part(Text part, Code&) { return append(part); }
  bool on_int64(std::int64_t value, Text, Code&) {
    text_.clear();
    return put(Json(value));
  }
  bool on_uint64(std::uint64_t, Text part, Code& code) { return on_double(0, part, code); }
  bool on_double(double, Text part, Code& code) {
    append(part);
    std::string digits = std::exchange(text_, {});
    double value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc()) return put(Json(value));
    fault = fmt::format("number {} is out of range", digits);
    code = boost::json::error::syntax;
    return false;
  }
  bool on_bool(bool value, Code&) { return put(Json(value)); }
  bool on_null(Code&) { return put(Json()); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

 private:
  struct Level {
    Json value;
    std::string key;                        ///< of the member that comes next
    std::unordered_set<std::string> names;  ///< of the members so far
  };

  bool append(Text part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool open(Json value) {
    levels_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool close() {
    Json value = std::move(levels_.back().value);
    levels_.pop_back();
    return put(std::move(value));
  }
  bool put(Json value) {
    if (levels_.empty()) {
      result = std::move(value);
    } else if (Level& level = levels_.back(); level.value.is_array()) {
      level.value.items().push_back(std::move(value));
    } else {
      level.value.members().emplace_back(std::exchange(level.key, {}), std::move(value));
    }
    return true;
  }

  std::vector<Level> levels_;
  std::string text_;  ///< parts of the string, key or number that is being read
};

Where place(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  Where where{.file = "", .line = 1, .column = 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++where.line;
      where.column = 1;
    } else {
      ++where.column;
    }
  }
  return where;
}

/// The length of the UTF-8 sequence at the start of `bytes`, or 0 if it is none (RFC 3629).
std::size_t utf8_sequence(std::string_view bytes) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(i < bytes.size() ? bytes[i] : 0); };
  auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    unsigned low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    unsigned low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void quote(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    std::size_t length = utf8_sequence(text.substr(i));
    if (length == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD
      length = 1;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  out += '"';
}

/// The shortest digits that read back as the same double, never without a mark that it is one. JSON has no
/// infinity.
std::string print_double(double value) {
  if (!std::isfinite(value)) return "null";
  std::string digits = fmt::format("{}", value);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

void new_line(std::string& out, int level) {
  out += '\n';
  out.append(static_cast<std::size_t>(level) * 2, ' ');
}

/// `level` below 0: all on one line.
void print_to(std::string& out, const Json& value, int level) {
  bool pretty = level >= 0;
  int inner = pretty ? level + 1 : level;
  bool first = true;
  auto separate = [&] {
    if (!std::exchange(first, false)) out += ',';
    if (pretty) new_line(out, inner);
  };
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.boolean() ? "true" : "false";
  } else if (value.is_int()) {
    fmt::format_to(std::back_inserter(out), "{}", value.integer());
  } else if (value.is_number()) {
    out += print_double(value.number());
  } else if (value.is_string()) {
    quote(out, value.string());
  } else if (value.is_array()) {
    out += '[';
    for (const Json& item : value.items()) {
      separate();
      print_to(out, item, inner);
    }
    if (pretty && !first) new_line(out, level);
    out += ']';
  } else {
    out += '{';
    for (const auto& [name, member] : value.members()) {
      separate();
      quote(out, name);
      out += pretty ? ": " : ":";
      print_to(out, member, inner);
    }
    if (pretty && !first) new_line(out, level);
    out += '}';
  }
}

const char* kind(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "a boolean";
  if (value.is_int()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  return value.is_array() ? "an array" : "an object";
}

[[noreturn]] void wrong_kind(const char* expected, const Json& found) {
  throw Error(Error::invalid, fmt::format("expected {}, found {}", expected, kind(found)));
}

}  // namespace

bool Json::boolean() const {
  if (!is_bool()) wrong_kind("a boolean", *this);
  return std::get<bool>(value_);
}

std::int64_t Json::integer() const {
  if (!is_int()) wrong_kind("an integer", *this);
  return std::get<std::int64_t>(value_);
}

double Json::number() const {
  if (is_int()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (!is_number()) wrong_kind("a number", *this);
  return std::get<double>(value_);
}

const std::string& Json::string() const {
  if (!is_string()) wrong_kind("a string", *this);
  return std::get<std::string>(value_);
}

const Json::Array& Json::items() const {
  if (!is_array()) wrong_kind("an array", *this);
  return std::get<Array>(value_);
}

const Json::Object& Json::members() const {
  if (!is_object()) wrong_kind("an object", *this);
  return std::get<Object>(value_);
}

Json::Array& Json::items() { return const_cast<Array&>(std::as_const(*this).items()); }

Json::Object& Json::members() { return const_cast<Object&>(std::as_const(*this).members()); }

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, member] : members()) {
    if (name == key) return &member;
  }
  return nullptr;
}

Json* Json::find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).find(key)); }

const Json& Json::at(std::string_view key) const {
  if (!is_object()) wrong_kind("an object", *this);
  if (const Json* member = find(key)) return *member;
  throw Error(Error::invalid, fmt::format("member {} is missing", json_quote(key)));
}

std::string Json::string_or(std::string_view key, std::string fallback) const {
  const Json* member = find(key);
  return member && !member->is_null() ? member->string() : std::move(fallback);
}

std::int64_t Json::integer_or(std::string_view key, std::int64_t fallback) const {
  const Json* member = find(key);
  return member && !member->is_null() ? member->integer() : fallback;
}

bool Json::boolean_or(std::string_view key, bool fallback) const {
  const Json* member = find(key);
  return member && !member->is_null() ? member->boolean() : fallback;
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object();
  if (Json* member = find(key)) return *member;
  return members().emplace_back(std::string(key), Json()).second;
}

void Json::add(Json item) {
  if (is_null()) value_ = Array();
  items().push_back(std::move(item));
}

void Json::erase(std::string_view key) {
  if (!is_object()) return;
  std::erase_if(members(), [&](const Member& member) { return member.first == key; });
}

bool Json::operator==(const Json& other) const {
  if (!is_object() || !other.is_object()) return value_ == other.value_;
  if (members().size() != other.members().size()) return false;
  for (const auto& [name, member] : members()) {
    const Json* same = other.find(name);
    if (!same || *same != member) return false;
  }
  return true;
}

std::string Json::print() const {
  std::string out;
  print_to(out, *this, -1);
  return out;
}

std::string Json::pretty() const {
  std::string out;
  print_to(out, *this, 0);
  out += '\n';
  return out;
}

Json Json::parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::basic_parser<Builder> parser(options);
  boost::json::error_code code;
  std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (!code && used < text.size()) code = boost::json::error::extra_data;
  if (!code) return std::move(parser.handler().result);
  const std::string& fault = parser.handler().fault;
  throw Error(Error::invalid, fmt::format("json{}: {}", holdall::text(place(text, used)),
                                          fault.empty() ? code.message() : fault));
}

std::string json_quote(std::string_view text) {
  std::string out;
  quote(out, text);
  return out;
}

}  // namespace holdall
