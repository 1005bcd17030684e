// Signals that a daemon's main thread reads from a descriptor, so that they do not interrupt it.
#ifndef SLUICE_PROGRAMS_COMMON_SIGNALS_H_
#define SLUICE_PROGRAMS_COMMON_SIGNALS_H_

#include <csignal>
#include <initializer_list>

namespace sluice {

class Signals {
 public:
  // Blocks the signals, and ignores SIGPIPE. Construct it before any other thread exists: threads inherit the mask.
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Readable when a signal has come.
  int fd() const { return fd_; }
  // Returns the next signal that came, or 0.
  int Take() const;
  // From here on SIGTERM and SIGINT end the process at once, and the others are ignored.
  void Release() const;

 private:
  sigset_t set_;
  int fd_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_SIGNALS_H_
