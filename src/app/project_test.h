#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "app/load.h"
#include "base/error.h"

namespace holdall::app {

/// A project directory in memory, /srv/shop.
struct ProjectInMemory {
  std::map<std::string, std::string> files;
  LoadOptions options;

  explicit ProjectInMemory(std::string compose) {
    files["compose.yaml"] = std::move(compose);
    options.working_dir = "/srv/shop";
  }

  Loaded load() const { return load_from(options, reader()); }

  /// As the specification has it, whatever the process engine makes of it.
  Loaded read() const { return read_from(options, reader()); }

  ReadFile reader() const {
    return [this](const std::filesystem::path& path) -> std::optional<std::string> {
      auto found = files.find(path.lexically_relative("/srv/shop").string());
      return found == files.end() ? std::nullopt : std::optional(found->second);
    };
  }

  /// The text of its refusal; empty if it is accepted.
  std::string refusal() const {
    return refusal([&] { load(); });
  }

  /// The same, of what is done with it.
  static std::string refusal(auto work) {
    try {
      work();
      return "";
    } catch (const Error& error) {
      CHECK(error.kind() == Error::invalid);
      return error.what();
    }
  }
};

}  // namespace holdall::app
