#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdall::net::http {

/// HTTP/1.1 heads and bodies, parsed in one place for router, API and clients (RFC 9110, RFC 9112). The
/// parser works on bytes that its caller holds: nothing is copied or allocated, every string_view points into
/// them. It is strict where leniency makes two parsers disagree: no obs-fold, no space before a colon, no
/// bare LF or CR, no Content-Length beside Transfer-Encoding, neither of them twice, exactly one Host (which
/// an absolute target must agree with), no control characters, no transfer coding but "chunked".

constexpr int kSwitchingProtocols = 101;

constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kMaxHead = 64 << 10;  ///< bytes of a head; the data path sets a smaller limit

struct Header {
  std::string_view name, value;  ///< as sent; the value without the blanks around it
};

/// Which of the headers that matter to a proxy or a server this one is; found while parsing. The X- headers
/// are known with underscores too: an app that reads CGI names cannot tell X_Forwarded_For from
/// X-Forwarded-For.
enum class Known : std::uint8_t {
  other,
  host,
  connection,
  content_length,
  transfer_encoding,
  upgrade,
  te,
  trailer,
  keep_alive,
  proxy_connection,
  expect,
  user_agent,
  accept_language,
  x_request_id,
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  x_forwarded_port,
  forwarded,
  x_real_ip,
};

enum class Body : std::uint8_t {
  none,
  length,  ///< `length` bytes follow
  chunked,
  until_close  ///< a response only
};

struct Head {
  // Of a request.
  std::string_view method, target;  ///< the target as sent
  std::string_view host;            ///< of Host or of an absolute target, without port, not lower-cased
  std::string_view path;   ///< of the target, up to '?'; "*" of OPTIONS; empty for an authority (CONNECT)
  std::string_view query;  ///< after '?', may be empty
  // Of a response.
  int status = 0;
  std::string_view reason;

  int minor = 1;  ///< of HTTP/1.x
  std::array<Header, kMaxHeaders> headers;
  std::array<Known, kMaxHeaders> known;
  std::size_t header_count = 0;
  std::size_t size = 0;  ///< bytes of the head, with its empty line

  Body body = Body::none;
  std::uint64_t length = 0;  ///< of the body, when Body::length
  bool keep_alive = true;    ///< what version and Connection say
  bool upgrade = false;      ///< Connection: upgrade with an Upgrade header
  bool expect_continue = false;

  /// The first header of that name, any case; nullptr data when there is none.
  std::string_view find(std::string_view name) const;
};

enum class Result : std::uint8_t { complete, incomplete, bad, too_large };

/// What is wrong, for the 400's body and the log: "space before colon". A literal.
struct Parsed {
  Result result;
  const char* reason = "";
};

/// Parses the head at the start of `bytes`; one empty line before a request is skipped and counted to it.
/// `complete` fills `head`. `incomplete` wants more bytes: ask again with all of them, and with `scanned`,
/// the count of bytes already known not to end the head, so that a head that comes in many pieces costs no
/// more than one that comes whole. `too_large`: over `limit` bytes or over kMaxHeaders headers. `head` means
/// nothing unless `complete`.
Parsed parse_request(std::string_view bytes, Head& head, std::size_t limit = kMaxHead,
                     std::size_t scanned = 0);

/// `request_method` decides whether the response has a body (HEAD, CONNECT); so do 1xx, 204 and 304.
Parsed parse_response(std::string_view bytes, std::string_view request_method, Head& head,
                      std::size_t limit = kMaxHead, std::size_t scanned = 0);

/// Follows a chunked body without copying it: tells how many of the given bytes belong to the body (framing
/// included) and where its data lies. Extensions are skipped; trailers are parsed strictly and counted to the
/// body.
class ChunkedReader {
 public:
  struct Step {
    std::size_t consumed = 0;  ///< bytes of the input that are done with
    std::string_view data;     ///< payload, the last of those bytes; empty if they are framing only
    bool bad = false;
  };
  /// Goes on to the end of the next run of payload, of the body or of the input, whichever comes first.
  Step next(std::string_view bytes);
  bool done() const { return state_ == State::done; }

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    name,
    value,
    value_lf,
    end_lf,
    done
  };
  bool framing(unsigned char c);  ///< one byte outside of the payload; false if it may not stand here

  State state_ = State::size;
  std::uint8_t digits_ = 0;
  std::uint16_t line_ = 0;      ///< bytes of the current extension or of a trailer's name
  std::uint32_t trailers_ = 0;  ///< bytes of all trailers
  std::uint64_t left_ = 0;      ///< payload bytes of the current chunk
};

bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view reason_phrase(int status);

/// True for methods that RFC 9110 9.2.2 calls idempotent.
bool is_idempotent(std::string_view method);

}  // namespace holdall::net::http
