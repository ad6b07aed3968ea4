#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "wire/wire.h"

// Whatever bytes come, in whatever pieces: the reader gives the same messages, each of which is written as it
// was read, and refuses what is too large at the same place.
namespace {

using namespace holdall;

struct Heard {
  std::vector<wire::Frame> frames;
  bool refused = false;

  bool operator==(const Heard&) const = default;
};

Heard hear(std::string_view bytes, std::size_t piece) {
  Heard heard;
  wire::FrameReader reader;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(bytes.substr(at, piece));
      while (auto frame = reader.next()) heard.frames.push_back(std::move(*frame));
    }
  } catch (const Error&) {
    heard.refused = true;
  }
  return heard;
}

void check_window(const std::string& data) {
  try {
    if (wire::window_data(wire::parse_window(data)) != data) std::abort();
  } catch (const Error&) {
    if (data.size() == 4) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Heard whole = hear(bytes, size + 1);
  if (hear(bytes, 1) != whole || hear(bytes, 7) != whole) std::abort();
  std::string written;
  for (const wire::Frame& frame : whole.frames) {
    if (frame.data.size() > wire::kLargestFrame) std::abort();
    if (frame.kind == wire::Frame::window) check_window(frame.data);
    written += wire::frame(frame.kind, frame.data);
  }
  if (!bytes.starts_with(written)) std::abort();
  return 0;
}
