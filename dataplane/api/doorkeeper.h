// Accepts connections in gRPC's place. gRPC 1.51 takes any number of connections. If it lacks a descriptor for one of
// them, it never accepts another.
//
// There is one limit for connections by Unix sockets, and one for TCP. When a limit is reached, the client with the
// most connections loses its oldest one to a client that has fewer. A client is a process, or a host: an IPv4 address,
// or the first 64 bits of an IPv6 address. When descriptors are used up, the next connection waits until one is free.
//
// A thread of its own accepts connections. All functions here are called by the control thread.
#ifndef SLUICE_DATAPLANE_API_DOORKEEPER_H_
#define SLUICE_DATAPLANE_API_DOORKEEPER_H_

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice {

class Doorkeeper {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log, from the doorkeeper's thread
  using Admit = std::function<void(int fd)>;          // takes the descriptor of a connection

  // `most`: the limit for each of the two kinds of connections.
  Doorkeeper(std::size_t most, Say say);
  // Calls Close, and forgets the connections.
  ~Doorkeeper();
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;

  // Call it before Start. The doorkeeper owns the listening socket from here on.
  void Watch(int listener, bool is_unix, Admit admit);
  void Start();
  // Stops listening. Connections stay.
  void Close();
  // Ends every connection, and with it all of its calls.
  void CutAll();

 private:
  using Clock = std::chrono::steady_clock;

  struct Door {
    int fd = -1;
    bool is_unix = false;
    Admit admit;
  };
  // A connection whose descriptor gRPC owns. Once gRPC closes it, the number may belong to another file.
  struct Guest {
    int fd = -1;
    ino_t inode = 0;
    bool is_unix = false;
    std::string client;
  };

  void Run();
  void AcceptAll(const Door& door);
  bool MakeRoom(bool is_unix, const std::string& client);
  enum Trouble : std::uint8_t { kNoDescriptor, kTurnedAway, kCut, kTroubles };
  void SaySometimes(Trouble trouble, std::string_view line);

  const std::size_t most_;
  const Say say_;
  std::vector<Door> doors_;
  int wake_ = -1;
  std::thread thread_;
  std::array<Clock::time_point, kTroubles> said_{};
  Clock::time_point pause_until_;

  std::mutex mutex_;         // protects guests_, which CutAll reads
  std::list<Guest> guests_;  // oldest first; some may have ended
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_DOORKEEPER_H_
