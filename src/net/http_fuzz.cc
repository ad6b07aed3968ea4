#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/http.h"

// Whatever the bytes: a head that is whole is whole only when its last byte has come, and reads the same with
// every `scanned`; and a chunked body gives the same data in whatever pieces it comes. The first byte chooses
// the pieces.

namespace http = holdall::net::http;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const http::Head& a, const http::Head& b) {
  return a.method == b.method && a.target == b.target && a.host == b.host && a.path == b.path &&
         a.query == b.query && a.status == b.status && a.minor == b.minor &&
         a.header_count == b.header_count && a.size == b.size && a.body == b.body && a.length == b.length &&
         a.keep_alive == b.keep_alive && a.upgrade == b.upgrade;
}

void check_head(std::string_view bytes, std::size_t piece, bool request) {
  static http::Head whole, part;
  auto parse = [&](std::string_view text, http::Head& head, std::size_t scanned) {
    return request ? http::parse_request(text, head, 4096, scanned)
                   : http::parse_response(text, "GET", head, 4096, scanned);
  };
  if (parse(bytes, whole, 0).result != http::Result::complete) return;
  require(whole.size <= bytes.size() && whole.size <= 4096);
  std::size_t scanned = 0;
  for (std::size_t size = piece; size < whole.size; size += piece) {
    require(parse(bytes.substr(0, size), part, 0).result == http::Result::incomplete);
    require(parse(bytes.substr(0, size), part, scanned).result == http::Result::incomplete);
    scanned = size;
  }
  require(parse(bytes.substr(0, whole.size), part, scanned).result == http::Result::complete);
  require(same(whole, part));
}

struct Read {
  std::string data;
  std::size_t consumed = 0;
  bool bad = false, done = false;
  bool operator==(const Read&) const = default;
};

Read read_chunks(std::string_view bytes, std::size_t piece) {
  Read read;
  http::ChunkedReader reader;
  while (read.consumed < bytes.size() && !read.bad && !reader.done()) {
    std::string_view part = bytes.substr(read.consumed, piece);
    http::ChunkedReader::Step step = reader.next(part);
    require(step.consumed <= part.size());
    require(step.bad || step.consumed > 0);
    read.data += step.data;
    read.consumed += step.consumed;
    read.bad = step.bad;
  }
  read.done = reader.done();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::size_t piece = 1 + data[0] % 32;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_head(bytes, piece, true);
  check_head(bytes, piece, false);
  require(read_chunks(bytes, piece) == read_chunks(bytes, bytes.size() + 1));
  return 0;
}
