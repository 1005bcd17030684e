// Where a worker waits that found nothing: until a socket has a frame, somebody wakes it, or the time is over.
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

  // Any thread: ends the wait, or the next one where nobody waits.
  void Wake() const;

  // The worker: forgets all sockets, then adds each that a frame could come by.
  void Clear() { watched_.resize(1); }
  void Add(int socket) { watched_.push_back({socket, POLLIN, 0}); }
  // False: it could not wait, as a socket is at fault (its interface is down).
  bool Wait(std::chrono::nanoseconds timeout);

 private:
  const int bell_;               // what Wake writes to
  std::vector<pollfd> watched_;  // that first; the worker's
};

// The packet sockets (AF_XDP, AF_PACKET) that this process has open. DPDK's drivers do not tell theirs: they are those
// that came while a device was opened.
std::vector<int> PacketSockets();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_FRAME_WAIT_H_
