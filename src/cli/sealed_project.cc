#include "cli/sealed_project.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/project.h"

namespace holdall::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine =
    "# Values sealed for this app: commit this file. holdall secrets --help says how to add one.\n";

}  // namespace

SealedProject::SealedProject(const Globals& globals) : file("") {
  app::Environment environment = identify_project(globals);
  app_ = AppName{environment.app};
  // Where it leads, if it is a link: that is the file to replace.
  path_ = fs::weakly_canonical(environment.sealed_file);
  std::optional<std::string> text = read_file_if_exists(path_);
  exists_ = text.has_value();
  read_ = text.value_or("");
  file = SealedFile::parse(exists_ ? read_ : kFirstLine, filename());
}

void SealedProject::require() const {
  if (exists_) return;
  throw Error(Error::missing, fmt::format("there is no {} in {}: begin with holdall secrets keygen",
                                          filename(), path_.parent_path().string()));
}

void SealedProject::save() {
  std::string text = file.print();
  if (exists_ && text == read_) return;
  if (read_file_if_exists(path_).value_or("") != read_) {
    throw Error(Error::conflict,
                fmt::format("{} was changed meanwhile, so it was left as it is: try again", path_.string()));
  }
  constexpr int kMode = 0644;  // it is made to be committed
  struct stat before{};
  bool there = stat(path_.c_str(), &before) == 0;
  write_file_atomic(path_, text, there ? static_cast<int>(before.st_mode & 07777) : kMode);
  // Root, working in somebody else's project, leaves the file theirs.
  if (there && geteuid() == 0 && chown(path_.c_str(), before.st_uid, before.st_gid) != 0) {
    throw_errno(Error::denied, fmt::format("give {} back to its owner", path_.string()), errno);
  }
  read_ = std::move(text);
  exists_ = true;
}

}  // namespace holdall::cli
