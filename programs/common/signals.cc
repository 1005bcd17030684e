#include "common/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace sluice {

Signals::Signals(std::initializer_list<int> signals) {
  sigemptyset(&set_);
  for (const int signal : signals) sigaddset(&set_, signal);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  fd_ = signalfd(-1, &set_, SFD_NONBLOCK | SFD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::~Signals() { close(fd_); }

int Signals::Take() const {
  signalfd_siginfo info{};
  return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

void Signals::Release() const {
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2}) {
    if (sigismember(&set_, signal) == 1) std::signal(signal, SIG_IGN);
  }
  pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace sluice
