// A worker that found nothing waits here until a socket has a frame, somebody wakes it, or the time is over.
#ifndef SLUICE_DATAPLANE_EDGE_FRAME_WAIT_H_
#define SLUICE_DATAPLANE_EDGE_FRAME_WAIT_H_

#include <poll.h>

#include <chrono>
#include <vector>

namespace sluice {

class FrameWait {
 public:
  FrameWait();
  ~FrameWait();
  FrameWait(const FrameWait&) = delete;
  FrameWait& operator=(const FrameWait&) = delete;

  // Any thread: ends the wait. If the worker is not waiting, ends its next wait.
  void Wake() const;

  // For the worker: Clear forgets all sockets; Add adds a socket that a frame could come by.
  void Clear() { watched_.resize(1); }
  void Add(int socket) { watched_.push_back({socket, POLLIN, 0}); }
  // Returns false if it could not wait because of a faulty socket (its interface is down).
  bool Wait(std::chrono::nanoseconds timeout);

 private:
  const int bell_;               // Wake writes to it
  std::vector<pollfd> watched_;  // the bell first; used by the worker
};

// The packet sockets (AF_XDP, AF_PACKET) that this process has open. DPDK's drivers
// do not name theirs, so these are the sockets that came while a device was opened.
std::vector<int> PacketSockets();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_FRAME_WAIT_H_
