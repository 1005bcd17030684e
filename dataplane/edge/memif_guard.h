// Keeps workers out of a memif port while DPDK's driver takes its connection down.
//
// When the other end goes, the driver unmaps the memory shared with it at once, in EAL's interrupt thread and with no
// lock or event that would tell whoever is in rte_eth_rx_burst. But first it marks the link down and takes its socket's
// callback back by rte_intr_callback_unregister. That function is ours: the driver finds the program's before EAL's, as
// DPDK is linked as shared libraries (static ones would define it twice, so that nothing links). Ours takes ports whose
// link is down from the workers, waits until each of them was quiescent since, and calls EAL's. The wait has no bound:
// a worker waits for nobody, and going on without it is what must not be.
#ifndef SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_
#define SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_

#include "edge/readers.h"

namespace sluice {

struct PortView;

// Of one port, by the control thread. From its making to its end the port's `usable` is the guard's to write.
class MemifGuard {
 public:
  // Both outlive the guard.
  MemifGuard(PortView& view, Readers& readers);
  ~MemifGuard();
  MemifGuard(const MemifGuard&) = delete;
  MemifGuard& operator=(const MemifGuard&) = delete;

  // Lets workers use the port, if its link is up. Requires that it is open.
  void Admit();

  // Takes it from them; they may still be in it.
  void Withdraw();

  // Returns when the interrupt thread is done with whatever it was about: a disconnection that a closing port must not
  // run into.
  static void WaitForInterruptThread();

  // Of every guarded port whose link is down: takes it from the workers and returns when they are out. By any thread
  // but a worker's.
  static void WaitForWorkers();

 private:
  PortView& view_;
  Readers& readers_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_MEMIF_GUARD_H_
