#include <cstdlib>
#include <set>

#include "base/error.h"
#include "wire/tree_format.h"
#include "wire/wire.h"

// Whatever bytes come, in whatever pieces: the reader refuses them, or tells of a tree that stays in its
// directory.
namespace {

using namespace holdall;

class CheckingSink final : public wire::TreeSink {
 public:
  void directory(const std::string& path) override { add(path); }
  void link(const std::string& path, const std::string& target) override {
    add(path);
    if (target.empty() || target.front() == '/') std::abort();
  }
  void file(const std::string& path, bool, std::uint64_t size) override {
    add(path);
    left_ = size;
  }
  void content(std::string_view bytes) override {
    if (bytes.size() > left_) std::abort();
    left_ -= bytes.size();
  }

 private:
  void add(const std::string& path) {
    if (path.empty() || path.front() == '/' || ("/" + path + "/").find("/../") != std::string::npos)
      std::abort();
    if (!seen_.insert(path).second) std::abort();
  }

  std::set<std::string> seen_;
  std::uint64_t left_ = 0;
};

bool accepts(std::string_view bytes, std::size_t piece) {
  CheckingSink sink;
  wire::TreeReader reader(sink);
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
    reader.finish();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool whole = accepts(bytes, size + 1);
  if (accepts(bytes, 1) != whole || accepts(bytes, 7) != whole) std::abort();
  return 0;
}
