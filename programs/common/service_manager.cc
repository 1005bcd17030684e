#include "common/service_manager.h"

#include <systemd/sd-daemon.h>

namespace sluice {

void ServiceManager::SayReady() { sd_notify(0, "READY=1"); }

void ServiceManager::SayStopping() { sd_notify(0, "STOPPING=1"); }

void ServiceManager::SayAlive() { sd_notify(0, "WATCHDOG=1"); }

void ServiceManager::SayStatus(const std::string& status) {
  if (status == status_) return;
  status_ = status;
  sd_notify(0, ("STATUS=" + status).c_str());
}

}  // namespace sluice
