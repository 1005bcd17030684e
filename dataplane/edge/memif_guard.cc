#include "edge/memif_guard.h"

#include <dlfcn.h>
#include <rte_alarm.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>

#include <chrono>
#include <mutex>
#include <semaphore>
#include <thread>
#include <vector>

#include "edge/port.h"

namespace sluice {
namespace {

// Protects all guards. Its holder may wait for workers, so that no guard ends while the interrupt thread uses it.
std::mutex& Mutex() {
  static std::mutex mutex;
  return mutex;
}

std::vector<MemifGuard*>& Guards() {
  static std::vector<MemifGuard*> guards;
  return guards;
}

bool LinkIsUp(const PortView& view) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(view.id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace

MemifGuard::MemifGuard(PortView& view, Readers& readers) : view_(view), readers_(readers) {
  const std::lock_guard lock(Mutex());
  Guards().push_back(this);
}

MemifGuard::~MemifGuard() {
  const std::lock_guard lock(Mutex());
  std::erase(Guards(), this);
}

// Reads the link under the lock. The link may go down at any time, but then the driver calls here afterwards.
void MemifGuard::Admit() {
  const std::lock_guard lock(Mutex());
  if (LinkIsUp(view_)) view_.usable.store(true, std::memory_order_release);
}

void MemifGuard::Withdraw() {
  const std::lock_guard lock(Mutex());
  view_.usable.store(false, std::memory_order_release);
}

void MemifGuard::WaitForInterruptThread() {
  std::binary_semaphore passed(0);
  const auto pass = [](void* semaphore) { static_cast<std::binary_semaphore*>(semaphore)->release(); };
  if (rte_eal_alarm_set(1, pass, &passed) != 0) return;
  passed.acquire();
  rte_eal_alarm_cancel(pass, &passed);  // returns when `pass` did
}

void MemifGuard::WaitForWorkers() {
  const std::lock_guard lock(Mutex());
  for (MemifGuard* guard : Guards()) {
    PortView& view = guard->view_;
    if (view.usable.load(std::memory_order_relaxed) && LinkIsUp(view)) continue;  // `id` is valid while it is usable
    view.usable.store(false, std::memory_order_release);
    // This is also needed if it was not usable before: the control thread may have withdrawn it just now.
    const Readers::Token token = guard->readers_.Retire();
    while (!guard->readers_.Passed(token)) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace sluice

// The interrupt thread calls this when the other end goes, and the control thread when it closes a port.
int rte_intr_callback_unregister(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument) {
  static const auto next =
      reinterpret_cast<decltype(&rte_intr_callback_unregister)>(dlsym(RTLD_NEXT, "rte_intr_callback_unregister"));
  sluice::MemifGuard::WaitForWorkers();
  return next(handle, callback, argument);
}
