// Accepts connections in gRPC's place. gRPC 1.51 takes any number of them, and where a descriptor is missing for one,
// it never accepts another.
//
// There are at most so many connections by Unix sockets, and so many by TCP. When they are used up, the client that has
// the most of them loses its oldest to one that has fewer. A client is a process, or a host: an IPv4 address, or the
// first 64 bits of an IPv6 one. When descriptors are used up, the next connection waits until there is one.
//
// A thread of its own accepts. Everything else is the control thread's.
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

  // `most`: connections of each kind.
  Doorkeeper(std::size_t most, Say say);
  // Close, and forgets the connections.
  ~Doorkeeper();
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;

  // Before Start. Owns the listening socket from here on.
  void Watch(int listener, bool is_unix, Admit admit);
  void Start();
  // Listens no more. Connections stay.
  void Close();
  // Ends every connection, with all calls on it.
  void CutAll();

 private:
  using Clock = std::chrono::steady_clock;

  struct Door {
    int fd = -1;
    bool is_unix = false;
    Admit admit;
  };
  // A connection, whose descriptor gRPC has. Once gRPC closes it, the number may be another file's.
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

  std::mutex mutex_;         // over guests_, which CutAll reads
  std::list<Guest> guests_;  // oldest first; of those that ended, some
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_DOORKEEPER_H_
