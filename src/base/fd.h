#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace holdall {

/// An open file descriptor and the duty to close it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();
  Fd duplicate() const;  ///< close-on-exec

 private:
  int fd_ = -1;
};

/// `call` returned -1: throws a `broken` Error with the system's words; else gives the value back.
int checked(int result, std::string_view doing);

struct Pipe {
  Fd read, write;
};
Pipe make_pipe(int flags);  ///< O_CLOEXEC is added

/// A close-on-exec eventfd that wakes a loop; `poke` and `clear` never block.
Fd make_event();
void poke(const Fd& event);
void clear(const Fd& event);

}  // namespace holdall
