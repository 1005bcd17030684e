// The last accepted policy on disk, so that a restart begins with it.
//
// One file, DIR/policy.state: a full state as its sender cut it, then each update since, in order. A full state
// replaces the file at once (temporary file, fsync, rename); an update is appended. When the updates outgrow the full
// state, what there is so far is folded into one anew, while further updates are appended; those then follow it.
//
// A record is `length, CRC-32 of the payload, CRC-32 of these eight bytes` (4 bytes each, little endian) and a
// sluice.v1.PushRequest. An update whose writing was cut short is left out; anything else that does not fit is
// corruption, and then nothing of the file is used.
//
// What a restart begins with is what was in force last, or nothing:
// - Who answers a sender first waits until what it answers for is written (AwaitWritten), so the end of this process
//   takes none of it back. The kernel has it then; that the disk has it, follows within a tenth of a second, by a
//   thread that nobody waits for. A machine that loses power may begin with the policy of that long ago.
// - A disk that takes nothing more must not bring an older policy back: the file is set aside as policy.state.behind
//   until what it lacks was written, and a restart meanwhile fails closed. A disk that hangs or cannot be written to at
//   all cannot even do that; then the wait ends after a while, and a restart may begin with what the disk had.
// - What waits for the disk is bounded. Where more comes, the file is removed until the next full state.
//
// Save, Append, AwaitWritten: the thread that applies policy. Load: before them. Threads of its own write, sync and
// fold.
#ifndef SLUICE_DATAPLANE_API_STATE_FILE_H_
#define SLUICE_DATAPLANE_API_STATE_FILE_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "sluice/resolved_policy.h"

namespace sluice {

struct SavedState {
  ResolvedPolicy policy;
  std::uint64_t state_id = 0;
  std::uint64_t batch = 0;
};

class StateFile {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log, from any thread

  // Makes the folder where it is missing, and keeps other processes out of it. The error names folder and remedy.
  static std::variant<std::unique_ptr<StateFile>, std::string> Open(const std::string& folder, Say say);
  // Writes what is under way.
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // What the file holds; nothing where there is none; or what is wrong with it.
  std::variant<std::monostate, SavedState, std::string> Load();

  // The PushRequests of a full state, serialized.
  void Save(std::vector<std::string> full_state);
  // The PushRequest of an update, serialized.
  void Append(std::string update);

  // Returns once the end of this process could not take back what was given so far, or the file was set aside, or it
  // took too long: then it does not wait again before the disk has caught up.
  void AwaitWritten();
  // Returns once everything given so far is on disk, or has failed to get there.
  void Flush();
  // Why the file is behind; empty: it is not.
  std::string problem() const;

 private:
  // Updates, or a full state and the updates that follow it; a full state without records: there is none.
  struct Job {
    bool is_full = false;
    std::vector<std::string> records;
    bool empty() const { return !is_full && records.empty(); }
  };

  enum class Fold { kIdle, kUnderWay, kDone, kFailed };

  StateFile(int folder, std::string path, Say say);
  std::variant<std::monostate, SavedState, std::string> Read(std::size_t most_bytes, std::size_t& good_bytes) const;

  // The writing thread.
  void RunWriter();
  std::string Write(const Job& job);
  std::string Replace(const std::vector<std::string>& records);
  std::string AppendTo(const std::vector<std::string>& records);
  std::string TakeFolded(std::size_t from);
  bool SetAside(bool of_use);
  void SyncFolder();
  void SetSizes(std::size_t full_bytes, std::size_t file_bytes);

  void RunSyncer();
  void RunFolder();
  // What the first so many bytes hold, as one full state in a file of its own.
  bool FoldFirst(std::size_t bytes);

  const int folder_;  // held locked
  const std::string path_;
  const std::string aside_;   // where the file is while it lacks something
  const std::string folded_;  // what is to take the place of its first bytes
  const Say say_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Job waiting_;
  std::size_t waiting_bytes_ = 0;  // of its updates
  bool busy_ = false;
  std::atomic<bool> stop_ = false;
  bool written_ = false;   // the writing thread is done
  bool unsynced_ = false;  // appended to since it was last synced
  bool syncing_ = false;
  bool hurry_ = false;    // somebody waits for that
  bool slow_ = false;     // an answer waited in vain
  bool cut_off_ = false;  // an update is lost: none after it may be appended
  std::string problem_;
  Fold fold_ = Fold::kIdle;
  std::size_t fold_bytes_ = 0;

  // The writing thread's own.
  std::size_t file_bytes_ = 0;
  std::size_t fold_at_ = 0;
  bool is_aside_ = false;
  bool fold_stale_ = false;  // another full state came while it was under way
  std::thread writer_;
  std::thread syncer_;
  std::thread folder_thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_STATE_FILE_H_
