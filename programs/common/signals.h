// The signals that a daemon's main thread reads from a descriptor instead of being interrupted by them.
#ifndef SLUICE_PROGRAMS_COMMON_SIGNALS_H_
#define SLUICE_PROGRAMS_COMMON_SIGNALS_H_

#include <csignal>
#include <initializer_list>

namespace sluice {

class Signals {
 public:
  // Blocks them, and ignores SIGPIPE. To be made before any other thread exists, since threads inherit the mask.
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Readable when a signal came.
  int fd() const { return fd_; }
  // The next signal that came, or 0.
  int Take() const;
  // From here on SIGTERM and SIGINT end the process at once, and the others are ignored.
  void Release() const;

 private:
  sigset_t set_;
  int fd_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_SIGNALS_H_
