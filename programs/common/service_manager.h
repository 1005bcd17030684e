// Tells systemd the state of a daemon (sd_notify(3), Type=notify). Without systemd it does nothing.
//
// One thread.
#ifndef SLUICE_PROGRAMS_COMMON_SERVICE_MANAGER_H_
#define SLUICE_PROGRAMS_COMMON_SERVICE_MANAGER_H_

#include <string>

namespace sluice {

class ServiceManager {
 public:
  static void SayReady();
  static void SayStopping();
  // Feeds the watchdog (WatchdogSec).
  static void SayAlive();
  // Sets the line that `systemctl status` shows; sent only if it changed.
  void SayStatus(const std::string& status);

 private:
  std::string status_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_SERVICE_MANAGER_H_
