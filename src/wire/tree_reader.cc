#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_set>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "wire/tree_format.h"
#include "wire/wire.h"

namespace holdall::wire {
namespace {

enum class Expect : std::uint8_t {
  magic,
  kind,
  path_size,
  path,
  file_size,
  content,
  target_size,
  target,
  end
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Makes what it is told below a directory that nobody else writes to.
class DirectorySink final : public TreeSink {
 public:
  explicit DirectorySink(const std::filesystem::path& directory)
      : root_(checked(open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                      fmt::format("open {}", directory.string()))) {}

  void directory(const std::string& path) override {
    checked(mkdirat(root_.get(), path.c_str(), 0755), "make " + path);
  }

  void link(const std::string& path, const std::string& target) override {
    checked(symlinkat(target.c_str(), root_.get(), path.c_str()), "make the link " + path);
  }

  void file(const std::string& path, bool executable, std::uint64_t) override {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    file_ = Fd(checked(openat(root_.get(), path.c_str(), flags, executable ? 0755 : 0644), "make " + path));
    // The umask must not decide what an artefact is.
    checked(fchmod(file_.get(), executable ? 0755 : 0644), "make " + path);
  }

  void content(std::string_view bytes) override { write_all(file_.get(), bytes); }

 private:
  Fd root_, file_;
};

}  // namespace

struct TreeReader::State {
  TreeSink& sink;
  Expect expect = Expect::magic;
  std::size_t wanted = kTreeMagic.size();  ///< bytes of the field that comes
  std::string field;
  char kind = 0;
  std::string path;
  std::uint64_t content_left = 0;
  std::size_t entries = 0;
  std::unordered_set<std::string> directories;

  [[noreturn]] void refuse(std::string_view why) const {
    std::string where = path.empty() ? "" : fmt::format(" at '{}'", path);
    throw Error(Error::invalid, fmt::format("the tree archive is not well-formed{}: {}", where, why));
  }

  void await(Expect next, std::size_t size) {
    expect = next;
    wanted = size;
  }

  void read_kind() {
    kind = field[0];
    if (kind == kEnd) return await(Expect::end, 0);
    if (std::string_view("dfxl").find(kind) == std::string_view::npos) refuse("an unknown kind of entry");
    if (++entries > kMostEntries) refuse("over a million entries");
    await(Expect::path_size, 2);
  }

  void read_path() {
    std::string before = std::move(path);
    path = field;
    std::string fault = fault_of_path(path);
    if (!fault.empty()) refuse(fault);
    if (path <= before) refuse("a path twice, or out of order");
    std::size_t slash = path.rfind('/');
    if (slash != path.npos && !directories.contains(path.substr(0, slash)))
      refuse("its directory did not come first");
    if (kind == kLink) return await(Expect::target_size, 2);
    if (kind != kDirectory) return await(Expect::file_size, 8);
    directories.insert(path);
    sink.directory(path);
    await(Expect::kind, 1);
  }

  void read_target() {
    std::string fault = fault_of_link(path, field);
    if (!fault.empty()) refuse(fault);
    sink.link(path, field);
    await(Expect::kind, 1);
  }

  void read_file_size() {
    content_left = little_endian(field);
    sink.file(path, kind == kExecutable, content_left);
    if (content_left) {
      await(Expect::content, 0);
    } else {
      await(Expect::kind, 1);
    }
  }

  void read_field() {
    switch (expect) {
      case Expect::magic:
        if (field != kTreeMagic) refuse("it does not begin like one");
        await(Expect::kind, 1);
        break;
      case Expect::kind: read_kind(); break;
      case Expect::path_size: await(Expect::path, little_endian(field)); break;
      case Expect::path: read_path(); break;
      case Expect::file_size: read_file_size(); break;
      case Expect::target_size: await(Expect::target, little_endian(field)); break;
      case Expect::target: read_target(); break;
      case Expect::content:
      case Expect::end: break;
    }
    field.clear();
  }

  void read_content(std::string_view& bytes) {
    std::size_t size = std::min<std::uint64_t>(content_left, bytes.size());
    sink.content(bytes.substr(0, size));
    bytes.remove_prefix(size);
    content_left -= size;
    if (content_left == 0) await(Expect::kind, 1);
  }
};

TreeReader::TreeReader(TreeSink& sink) : state_(new State{.sink = sink}) {}
TreeReader::~TreeReader() = default;

void TreeReader::feed(std::string_view bytes) {
  State& state = *state_;
  while (!bytes.empty()) {
    if (state.expect == Expect::end) state.refuse("bytes after its end");
    if (state.expect == Expect::content) {
      state.read_content(bytes);
      continue;
    }
    std::size_t size = std::min(state.wanted - state.field.size(), bytes.size());
    state.field.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    // A path or target of no bytes is complete at once, and is refused there.
    while (state.expect != Expect::content && state.expect != Expect::end &&
           state.field.size() == state.wanted) {
      state.read_field();
    }
  }
}

void TreeReader::finish() {
  if (state_->expect != Expect::end) state_->refuse("it ends too early");
}

void unpack_tree(const Fd& file, const std::filesystem::path& directory, const Digest& digest) {
  DirectorySink sink(directory);
  TreeReader reader(sink);
  Sha256 hash;
  std::array<char, 64 << 10> buffer;
  off_t offset = 0;
  for (;;) {
    auto got = checked(static_cast<int>(pread(file.get(), buffer.data(), buffer.size(), offset)),
                       "read the tree archive");
    if (got == 0) break;
    offset += got;
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    hash.update(bytes);
    reader.feed(bytes);
  }
  reader.finish();
  Digest found = hash.finish();
  if (found != digest) {
    throw Error(Error::invalid,
                fmt::format("the tree archive's digest is {}, not {}", found.value, digest.value));
  }
}

}  // namespace holdall::wire
