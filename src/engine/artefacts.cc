#include "engine/artefacts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "engine/environment.h"

namespace holdall::engine {
namespace {

namespace fs = std::filesystem;

// An artefact is made before the release that names it is recorded.
constexpr auto kSpared = std::chrono::hours(1);
constexpr mode_t kDirectoryMode = 0555, kFileMode = 0444, kProgramMode = 0555;

struct Entry {
  std::string path;  ///< relative, with "/"
  struct stat info;
};

std::vector<Entry> entries_of(const fs::path& directory) {
  std::vector<Entry> entries;
  for (const fs::directory_entry& found : fs::recursive_directory_iterator(directory)) {
    Entry entry{found.path().lexically_relative(directory).generic_string(), {}};
    checked(lstat(found.path().c_str(), &entry.info), "look at " + found.path().string());
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &Entry::path);
  return entries;
}

std::string file_digest(const fs::path& path) {
  Fd file(checked(open(path.c_str(), O_RDONLY | O_CLOEXEC), "read " + path.string()));
  Sha256 digest;
  std::string buffer(std::size_t{1} << 18, '\0');
  for (;;) {
    ssize_t size = read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw_errno(Error::broken, "read " + path.string(), errno);
    if (size == 0) return digest.finish().value;
    digest.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(size)));
  }
}

/// One entry of the digest's input.
std::string line_of(const fs::path& root, const Entry& entry) {
  fs::path path = root / entry.path;
  if (S_ISDIR(entry.info.st_mode)) return fmt::format("d {}", entry.path);
  if (S_ISLNK(entry.info.st_mode))
    return fmt::format("l {}{}{}", entry.path, '\0', fs::read_symlink(path).string());
  if (S_ISREG(entry.info.st_mode)) {
    char kind = entry.info.st_mode & S_IXUSR ? 'x' : 'f';
    return fmt::format("{} {}{}{}", kind, entry.path, '\0', file_digest(path));
  }
  throw Error(Error::invalid,
              fmt::format("{} is no file, directory or link; leave it out with .dockerignore", entry.path));
}

void build_in(const fs::path& source, const std::vector<std::string>& build, Deadline deadline) {
  Command command{
      .argv = build, .environment = build_environment(), .working_dir = source, .die_with_parent = true};
  Output output;
  try {
    output = run(command, deadline);
  } catch (const Error& error) {
    throw error.during("build");
  }
  if (output.exit.ok()) return;
  std::string said = output.out + output.err;
  constexpr std::size_t kLastWords = 4096;
  if (said.size() > kLastWords) said = said.substr(said.find('\n', said.size() - kLastWords) + 1);
  std::string how = output.timed_out ? "was not done in time" : text(output.exit);
  throw Error(output.timed_out ? Error::busy : Error::failed,
              fmt::format("build: {} {}\n{}", build.front(), how, said));
}

/// Everything on the disk, with modes that say that it is not to be changed.
void seal(const fs::path& root, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (S_ISLNK(entry.info.st_mode)) continue;
    mode_t file_mode = entry.info.st_mode & S_IXUSR ? kProgramMode : kFileMode;
    fs::path path = root / entry.path;
    checked(chmod(path.c_str(), S_ISDIR(entry.info.st_mode) ? kDirectoryMode : file_mode),
            "chmod " + path.string());
  }
  // One flush for the file system instead of one a file: a tree may hold thousands.
  Fd directory(checked(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open " + root.string()));
  checked(syncfs(directory.get()), "flush " + root.string());
}

void make_deletable(const fs::path& root) {
  chmod(root.c_str(), 0700);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_directory() && !entry.is_symlink()) chmod(entry.path().c_str(), 0700);
  }
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Vanishes at one instant, so that nothing half deleted bears a digest.
void remove_tree(const fs::path& path) {
  fs::path hidden = path.parent_path() / fmt::format(".{}.{}", path.filename().string(), random_id());
  // To rename a directory one must be allowed to write into it, as its `..` changes.
  chmod(path.c_str(), 0700);
  fs::rename(path, hidden);
  make_deletable(hidden);
  fs::remove_all(hidden);
}

/// A rename where it can be one, else a copy into `beside` and then a rename.
void move_tree(const fs::path& source, const fs::path& target) {
  std::error_code error;
  fs::rename(source, target, error);
  if (error == std::errc::cross_device_link) {
    fs::path beside = target.parent_path() / fmt::format(".{}.{}", target.filename().string(), random_id());
    fs::copy(source, beside, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    seal(beside, entries_of(beside));
    fs::rename(beside, target, error);
    if (error) remove_tree(beside);
    make_deletable(source);
    fs::remove_all(source);
  }
  // Somebody else made the same tree meanwhile: the first copy is kept.
  bool there = error == std::errc::directory_not_empty || error == std::errc::file_exists;
  if (error && !there) throw_errno(Error::broken, "move to " + target.string(), error.value());
}

}  // namespace

Digest tree_digest(const fs::path& directory) {
  Sha256 digest;
  for (const Entry& entry : entries_of(directory)) {
    std::string line = line_of(directory, entry);
    digest.update(fmt::format("{}:", line.size()));
    digest.update(line);
  }
  return digest.finish();
}

Artefacts::Artefacts(fs::path directory) : directory_(std::move(directory)) {
  fs::create_directories(directory_);
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    if (is_hidden(entry.path())) unfinished.push_back(entry.path());
  }
  for (const fs::path& path : unfinished) {
    make_deletable(path);
    fs::remove_all(path);
  }
}

fs::path Artefacts::path(const Digest& artefact) const {
  return directory_ / parse_digest(artefact.value).value.substr(std::strlen("sha256:"));
}

bool Artefacts::has(const Digest& artefact) const { return fs::is_directory(path(artefact)); }

Digest Artefacts::prepare(const fs::path& source, const std::vector<std::string>& build,
                          Deadline deadline) const {
  if (!build.empty()) build_in(source, build, deadline);
  Digest digest = tree_digest(source);
  fs::path target = path(digest);
  if (!fs::exists(target)) {
    seal(source, entries_of(source));
    move_tree(source, target);
    chmod(target.c_str(), kDirectoryMode);
    fsync_directory(directory_);
  }
  fs::last_write_time(target, fs::file_time_type::clock::now());
  if (fs::exists(source)) {
    make_deletable(source);
    fs::remove_all(source);
  }
  return digest;
}

void Artefacts::keep(const std::vector<Digest>& kept) const {
  std::vector<fs::path> unwanted;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    bool wanted =
        std::ranges::any_of(kept, [&](const Digest& digest) { return path(digest) == entry.path(); });
    bool fresh = fs::file_time_type::clock::now() - entry.last_write_time() < kSpared;
    if (!wanted && !fresh && !is_hidden(entry.path())) unwanted.push_back(entry.path());
  }
  for (const fs::path& path : unwanted) remove_tree(path);
}

}  // namespace holdall::engine
