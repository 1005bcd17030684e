// What sluiced tells systemd (sd_notify(3), Type=notify): that packets flow, how things are in a line, and that it
// lives, which it says only as long as every worker goes round. Without systemd nothing of this does anything.
//
// Control thread.
#ifndef SLUICE_PROGRAMS_SLUICED_SERVICE_MANAGER_H_
#define SLUICE_PROGRAMS_SLUICED_SERVICE_MANAGER_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "edge/dataplane.h"

namespace sluice {

class ServiceManager {
 public:
  static void SayReady();
  static void SayStopping();

  // Call it a few times a second: once in one it says the status, where it changed, and feeds the watchdog
  // (WatchdogSec) if each worker went round since the last time.
  void Watch(const Dataplane& plane, const std::string& status);

 private:
  bool WorkersGoRound(const Dataplane& plane);

  std::chrono::steady_clock::time_point said_;
  std::string status_;
  std::vector<std::uint64_t> rounds_;  // by worker, when they were last looked at
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_SERVICE_MANAGER_H_
