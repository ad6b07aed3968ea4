#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "app/app.h"
#include "app/ignore.h"
#include "base/files.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;

/// Sealed values are for the server, which has them already; and the same ones sealed again make no other
/// artefact.
bool is_sealed_file(std::string_view path) {
  return path == "secrets.sealed" || (path.starts_with("secrets.") && path.ends_with(".sealed") &&
                                      path.find('/') == std::string_view::npos);
}

// The history is no part of what runs: it would carry every old secret to the server, and make another
// artefact of each commit. Before the file's own patterns, so that `!.git` brings it back.
constexpr const char* kHistory = "**/.git\n";

class Walk {
 public:
  Walk(const fs::path& root, const Ignore& ignore) : root_(root), ignore_(ignore) {}

  std::vector<ContextFile> run() {
    directory("");
    std::ranges::sort(files_, {}, &ContextFile::path);
    return std::move(files_);
  }

 private:
  /// Adds what is kept of it. An ignored directory is entered only when a later `!` may keep something in it,
  /// and is then itself kept only for what is.
  void directory(const std::string& relative) {
    std::error_code error;
    fs::directory_iterator entries(root_ / relative, error);
    if (error) {
      throw Error(Error::denied,
                  fmt::format("{} cannot be listed: {}; name it in .dockerignore or make it readable",
                              (root_ / relative).string(), error.message()));
    }
    for (const fs::directory_entry& entry : entries) {
      std::string path = relative.empty() ? entry.path().filename().string()
                                          : fmt::format("{}/{}", relative, entry.path().filename().string());
      if (is_sealed_file(path)) continue;
      bool ignored = ignore_.matches(path);
      bool is_directory = entry.symlink_status().type() == fs::file_type::directory;
      std::size_t before = files_.size();
      if (!ignored) files_.push_back({path});
      if (is_directory && (!ignored || ignore_.may_keep_below(path))) directory(path);
      if (ignored && files_.size() > before) files_.push_back({path});
    }
  }

  const fs::path& root_;
  const Ignore& ignore_;
  std::vector<ContextFile> files_;
};

}  // namespace

std::vector<ContextFile> list_context(const fs::path& context) {
  std::error_code error;
  if (!fs::is_directory(context, error)) {
    throw Error(Error::missing, fmt::format("the build context {} is no directory", context.string()));
  }
  auto patterns = read_file_if_exists(context / ".dockerignore");
  Ignore ignore(kHistory + patterns.value_or(""));
  return Walk(context, ignore).run();
}

}  // namespace holdall::app
