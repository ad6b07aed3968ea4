#pragma once

#include <filesystem>
#include <string>

#include "base/seal.h"
#include "cli/cli.h"

namespace holdall::cli {

/// The caller's project as the `secrets` commands see it: its app, and the sealed file beside its compose
/// file. Services are not looked at: a file may name a secret that is only now going to be sealed.
class SealedProject {
 public:
  /// Throws `invalid` for a sealed file that is not well-formed; none at all is an empty one.
  explicit SealedProject(const Globals& globals);

  const AppName& app() const { return app_; }
  bool exists() const { return exists_; }
  std::string filename() const { return path_.filename().string(); }  ///< "secrets.sealed"

  /// Throws `missing` with the remedy unless there is a file.
  void require() const;

  SealedFile file;

  /// Replaces the file at one instant by `file`, with the mode and the owner it had. Throws `conflict` if
  /// somebody else has changed it since it was read.
  void save();

 private:
  AppName app_;
  std::filesystem::path path_;
  std::string read_;  ///< the text as it was read
  bool exists_ = false;
};

}  // namespace holdall::cli
