#include "sluiced/service_manager.h"

#include <systemd/sd-daemon.h>

namespace sluice {
namespace {

constexpr std::chrono::seconds kInterval(1);

}  // namespace

void ServiceManager::SayReady() { sd_notify(0, "READY=1"); }

void ServiceManager::SayStopping() { sd_notify(0, "STOPPING=1"); }

void ServiceManager::Watch(const Dataplane& plane, const std::string& status) {
  const auto now = std::chrono::steady_clock::now();
  if (now - said_ < kInterval) return;
  said_ = now;
  if (status != status_) sd_notify(0, ("STATUS=" + status).c_str());
  status_ = status;
  if (WorkersGoRound(plane)) sd_notify(0, "WATCHDOG=1");
}

bool ServiceManager::WorkersGoRound(const Dataplane& plane) {
  bool all = true;
  rounds_.resize(plane.workers().size());
  for (std::size_t i = 0; i < rounds_.size(); ++i) {
    const std::uint64_t rounds = plane.workers()[i]->counters().rounds.value();
    all = all && rounds != rounds_[i];
    rounds_[i] = rounds;
  }
  return all;
}

}  // namespace sluice
