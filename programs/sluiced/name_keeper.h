// Takes care of learnt names: saves them to disk, and counts those that expire.
#ifndef SLUICE_PROGRAMS_SLUICED_NAME_KEEPER_H_
#define SLUICE_PROGRAMS_SLUICED_NAME_KEEPER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "edge/clock.h"
#include "names/name_store.h"

namespace sluice {

// The present time, on the workers' clock and as wall time. Requires EAL; any thread.
class NameClock {
 public:
  NameTime operator()() const;

 private:
  TscClock clock_;
};

class NameKeeper {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log, from any thread

  // `file`: where names are kept; empty: nowhere. `store` outlives it. Requires EAL.
  NameKeeper(NameStore& store, std::string file, Say say);
  // Writes the names.
  ~NameKeeper();

  // Puts the file's names into force. Call it before workers start, once the store knows what rules ask for. Returns
  // how many addresses it took.
  std::size_t Restore();
  // From here on its own thread writes the file after a change, at most once a second.
  void Start();

 private:
  void Run();
  void Write();

  NameStore& store_;
  const std::string file_;
  const Say say_;
  const NameClock clock_;
  std::uint64_t written_ = 0;  // NameStore::revision at that time
  bool failed_ = false;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_NAME_KEEPER_H_
