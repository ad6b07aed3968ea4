#include "mix.h"

#include <fmt/format.h>
#include <sodium.h>

#include <utility>

namespace load {

namespace {

constexpr std::size_t kBodySize = 64 << 10;
// Enough different bodies that one delivered to the wrong request shows; few enough to make before the start.
constexpr int kBodies = 64;

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::plain: return "plain";
    case Kind::post: return "post";
    case Kind::slow: return "slow";
    case Kind::stream: return "stream";
    case Kind::page: return "page";
  }
  return "";
}

std::string checksum(std::string_view bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string hex;
  for (unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

Mix::Mix(std::string host, double slow_seconds, std::uint64_t seed, std::optional<Kind> only)
    : host_(std::move(host)),
      slow_path_(fmt::format("/slow?seconds={}", slow_seconds)),
      prefix_(fmt::format("{:08x}", randombytes_random())),
      only_(only),
      random_(seed) {
  for (int i = 0; i < kBodies; ++i) {
    std::string bytes(kBodySize, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    std::string sum = checksum(bytes);
    bodies_.push_back({std::move(bytes), std::move(sum)});
  }
}

Request Mix::next() {
  Request request;
  request.id = fmt::format("{}-{}", prefix_, count_++);
  unsigned kind = random_() % 100, leaves = random_() % 20;
  request.fresh = random_() % 2 == 0;
  const Body& body = bodies_[random_() % bodies_.size()];
  if (only_) {
    request.kind = *only_;
  } else {
    request.kind = kind < 25 ? Kind::post : kind < 35 ? Kind::slow : kind < 45 ? Kind::stream : Kind::plain;
    if (leaves == 0) {
      request.leave = request.kind == Kind::post     ? Leave::in_request
                      : request.kind == Kind::stream ? Leave::in_answer
                                                     : Leave::while_waiting;
    }
  }
  std::string_view path = request.kind == Kind::post     ? "/echo"
                          : request.kind == Kind::slow   ? std::string_view(slow_path_)
                          : request.kind == Kind::stream ? "/stream?n=20"
                                                         : "/";
  request.bytes = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nX-Load-Id: {}\r\n",
                              request.kind == Kind::post ? "POST" : "GET", path, host_, request.id);
  if (request.fresh) request.bytes += "Connection: close\r\n";
  if (request.kind == Kind::post) {
    request.bytes += fmt::format("Content-Length: {}\r\n\r\n", kBodySize);
    request.bytes += body.bytes;
    request.checksum = body.checksum;
  } else {
    request.bytes += "\r\n";
  }
  return request;
}

}  // namespace load
