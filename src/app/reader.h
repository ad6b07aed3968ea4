#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/model.h"

namespace holdall::app {

/// A value inside a model, with its path, that notes a fault when it is not of the kind asked for: a server
/// reads what strangers send. A value that is absent or null is of no kind, and no fault.
class Reader {
 public:
  Reader(const Json* value, std::string path, std::vector<Fault>& faults)
      : value_(value && value->is_null() ? nullptr : value), path_(std::move(path)), faults_(faults) {}

  bool present() const { return value_ != nullptr; }
  bool is_string() const { return value_ && value_->is_string(); }
  bool is_object() const { return value_ && value_->is_object(); }
  bool is_array() const { return value_ && value_->is_array(); }
  const std::string& path() const { return path_; }
  const Json* json() const { return value_; }

  Reader operator[](std::string_view key) const;
  std::vector<Reader> items() const;                            ///< of an array
  std::vector<std::pair<std::string, Reader>> members() const;  ///< of an object

  std::optional<std::string> text() const;
  std::optional<bool> boolean() const;
  std::optional<std::int64_t> integer(std::int64_t least, std::int64_t most) const;
  std::optional<std::chrono::nanoseconds> duration() const;  ///< not negative
  std::vector<std::string> texts() const;
  std::vector<std::string> command() const;  ///< a list of strings, or a string split into words

  void fault(std::string what, std::string hint = "") const {
    faults_.push_back({path_, std::move(what), std::move(hint)});
  }

  /// A fault for each member whose name is not among them.
  void allow_only(std::initializer_list<std::string_view> names) const;

 private:
  const Json* value_;
  std::string path_;
  std::vector<Fault>& faults_;
};

/// Reads `pre_start` of a service.
void read_pre_start(const Reader& hooks, Service& service);

/// Reads `x-holdall` of a service.
void read_extension(const Reader& extension, Service& service);

}  // namespace holdall::app
