#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdall {

/// A JSON value. Objects keep the order in which their members were added; integers stay integers (a
/// nanosecond timestamp exceeds a double). A copyable value; the library behind it stays in json.cc.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(long value) : value_(std::int64_t{value}) {}
  Json(long long value) : value_(std::int64_t{value}) {}
  Json(unsigned value) : value_(std::int64_t{value}) {}
  Json(unsigned long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  /// `Json::object({{"name", "web"}, {"count", 3}})`.
  static Json object(Object members = {}) { return Json(std::move(members)); }
  static Json array(Array items = {}) { return Json(std::move(items)); }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_int() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Each throws `invalid`, naming what it found, when the value is of another kind. `number` takes integers
  // too.
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;
  const std::string& string() const;
  const Array& items() const;
  const Object& members() const;
  Array& items();
  Object& members();

  /// The member, or nullptr when there is none or this is no object. Valid until the object changes.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);

  /// The member; throws `invalid` naming the key when there is none.
  const Json& at(std::string_view key) const;

  /// The member if it is there and not null, else `fallback`.
  std::string string_or(std::string_view key, std::string fallback) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;

  /// The member, made (as null) when there is none. A null value becomes an object.
  Json& operator[](std::string_view key);
  void add(Json item);  ///< to an array; a null value becomes one
  void erase(std::string_view key);

  /// Members of objects are compared in any order.
  bool operator==(const Json& other) const;

  std::string print() const;   ///< on one line, no spaces
  std::string pretty() const;  ///< two spaces a level, a final newline

  /// Throws `invalid` with the line and column of the first fault. RFC 8259; nesting over 100 levels and
  /// duplicate names are refused.
  static Json parse(std::string_view text);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace holdall
