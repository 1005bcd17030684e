// Brings to the disk what was appended to a file, soon and in a thread of its own: a disk takes its time, and nobody
// should wait for it.
//
// Dirty and Flush: any thread.
#ifndef SLUICE_DATAPLANE_KEEP_SYNCER_H_
#define SLUICE_DATAPLANE_KEEP_SYNCER_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace sluice {

class Syncer {
 public:
  using OnLost = std::function<void(std::string)>;  // gets the reason; called by the syncer's thread

  // `on_lost`: the disk failed to take what the kernel had. The kernel may have dropped it, too (fsync(2)).
  Syncer(std::string path, OnLost on_lost);
  // Syncs what is dirty.
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // Tells that the file was appended to. It is synced a tenth of a second later, with everything that came until then.
  void Dirty();
  // Returns once nothing is dirty.
  void Flush();

 private:
  enum class State { kClean, kDirty, kSyncing, kDirtyAgain };  // kDirtyAgain: appended to during a sync

  void Run();
  void Sync() const;

  const std::string path_;
  const OnLost on_lost_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kClean;
  int hurrying_ = 0;  // callers that wait in Flush, or in the destructor
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_SYNCER_H_
