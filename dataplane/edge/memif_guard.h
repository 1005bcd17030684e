// Keeps workers out of a memif port while DPDK's driver takes down the port's connection.
//
// When the other end goes, the driver at once unmaps the memory that it shared with it. It does this in EAL's
// interrupt thread, and no lock or event warns a worker that is in rte_eth_rx_burst. But before that, it marks the
// link down and removes its socket's callback by rte_intr_callback_unregister. This program defines that function
// itself. The driver finds it before EAL's, as DPDK is linked as shared libraries (static ones would define it twice
// and not link). It takes ports whose link is down from the workers, waits until each worker was quiescent since, and
// then calls EAL's. The wait has no bound: a worker never waits for anybody, and going on before that is never safe.
#ifndef SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_
#define SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_

#include "edge/readers.h"

namespace sluice {

struct PortView;

// One for each port, used by the control thread. Only the guard writes the port's `usable` while the guard lives.
class MemifGuard {
 public:
  // `view` and `readers` outlive the guard.
  MemifGuard(PortView& view, Readers& readers);
  ~MemifGuard();
  MemifGuard(const MemifGuard&) = delete;
  MemifGuard& operator=(const MemifGuard&) = delete;

  // Lets workers use the port, if its link is up. Requires that it is open.
  void Admit();

  // Takes the port from the workers; they may still be using it.
  void Withdraw();

  // Returns when the interrupt thread has finished its current
  // work: a closing port must not run into a disconnection.
  static void WaitForInterruptThread();

  // Takes each guarded port whose link is down from the workers, and
  // returns when they no longer use it. Any thread but a worker's.
  static void WaitForWorkers();

 private:
  PortView& view_;
  Readers& readers_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_
