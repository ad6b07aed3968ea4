#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "router/exchange.h"
#include "router/page.h"
#include "router/stream_socket.h"
#include "router/workspace.h"

namespace holdall::router {

/// What a listener says about the connections it accepts.
struct Door {
  Listener::Kind kind = Listener::http;
  std::uint16_t port = 0;
  PoolNumber pool = 0;  ///< of kinds other than http
  bool internal = false;
};

/// A connection from outside: takes one request after another from it, and hands each to an exchange. Lives
/// in one of its workspace's lists and is moved between them; between two requests it holds no buffer.
class Client final : public EventSink {
 public:
  Client(Workspace& work, Fd fd, std::string address, const Door& door);

  void begin(std::list<Client>::iterator self);  ///< once, right after it was put into `active`

  void on_event(std::uint32_t events) override;
  void on_again();                                    ///< its turn has come again
  void on_sweep();                                    ///< looks for timeouts
  void on_table();                                    ///< another table is served
  void on_stop();                                     ///< leaves if it waits for a request
  void on_end();                                      ///< waits less long for a request from now on
  bool cut(const std::vector<LiveTarget*>& targets);  ///< whether a request of its was ended

  // For its exchange.
  const std::string& address() const { return address_; }
  /// Bytes that were received but belong to what comes next.
  void keep_input(std::string_view bytes) { input_.insert(input_at_, bytes); }
  /// All bytes that were received and not yet used; they are the caller's then.
  std::string take_input();
  /// The exchange has ended and its answer was sent, or is kept in the socket. Nothing of the exchange may be
  /// touched afterwards.
  void answered(bool keep);
  /// Answers in the router's own name, and ends the exchange if there is one. `keep`: the connection may go
  /// on.
  void answer(int status, std::string_view text, std::string_view id, bool keep, bool head_only = false);
  /// The same with a page of another type.
  void answer_page(int status, const Page& page, std::string_view id, bool keep, bool head_only);
  void leave();  ///< closes at once
  void abort();  ///< closes so that the peer sees a reset
  void ask_again();

  StreamSocket socket;

 private:
  enum class State : std::uint8_t { sniffing, head, busy, flushing, lingering, gone };

  void advance();
  bool next_request();
  bool receive_input(bool& ended);
  void start_request(std::string_view bytes);
  void refuse(int status, std::string_view reason);
  void sniff(bool silent);
  void start_stream(std::string first);
  void after_answer();
  void begin_linger();
  void drain_input();
  void wait_for_request();
  void end();

  Workspace& work_;
  std::list<Client>::iterator self_;
  std::unique_ptr<Exchange> exchange_;
  Instant deadline_{};
  std::string address_;
  std::string input_;         ///< received, not yet used
  std::size_t input_at_ = 0;  ///< what is before is used
  std::size_t scanned_ = 0;   ///< bytes of the input known not to end a head
  Door door_;
  State state_ = State::head;
  bool keep_ = true, advancing_ = false, idle_ = false, again_ = false;
};

}  // namespace holdall::router
