// Keeps the last accepted policy on disk, so that a restart begins with it.
//
// There is one file, FOLDER/policy.state: the records of a full state, then one record for each update since. A full
// state replaces the file at once (temporary file, fsync, rename). An update is appended. When the updates outgrow the
// full state, a thread folds all records into one full state, while the writer appends further updates; these then
// follow the folded state. The owner knows what the records mean (StateReader).
//
// A restart begins with the policy that was in force last, or with none:
// - The policy thread answers a sender only after the batch is written (AwaitWritten), so the end of the process loses
//   nothing that was answered. The kernel has the bytes by then, and a syncer brings them to the disk within a tenth of
//   a second. After a power cut, a machine may begin with the policy of that long ago. If the disk fails to take the
//   bytes, the file is given up until the next full state.
// - If the wait was in vain, because the disk hangs, is full or is read-only, a marker in memory (marker.h) records it
//   before the sender is answered. While the marker stands, a restart does not use the file. The marker goes when the
//   file holds everything again. A reboot loses the marker.
// - If a disk takes no more but still renames files, the file is set aside as policy.state.behind until what it lacks
//   is written. That holds after a reboot, too.
// - The updates that wait for the disk are bounded. If more come, the file is given up until the next full state.
//
//   kKept --- an answer went out before its batch was written ---> kLate --------+
//     |                                                              |           |
//     +--- a write failed; it is tried again once a second ------> kFailing ----+---> kKept, when all is written
//
// The marker stands in kLate and kFailing.
//
// Save, Append, AwaitWritten: the thread that applies policy. Load: before them. not_kept, Flush: any thread. The file
// has threads of its own that write, sync and fold.
#ifndef SLUICE_DATAPLANE_KEEP_STATE_FILE_H_
#define SLUICE_DATAPLANE_KEEP_STATE_FILE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "keep/marker.h"
#include "keep/record_file.h"
#include "keep/syncer.h"

namespace sluice {

// Rebuilds a state, record by record.
class StateReader {
 public:
  virtual ~StateReader() = default;
  // Adds a record. Returns nothing, or why the record is refused; then the reader is of no more use.
  virtual std::optional<std::string> Add(std::string_view record) = 0;
  // The records so far hold a whole full state.
  virtual bool complete() const = 0;
  // As one full state of records of at most kMaxRecordBytes; none: it cannot be cut so. Requires complete().
  virtual std::vector<std::string> Fold() const = 0;
};

struct StateSettings {
  std::string folder;           // made if it is missing
  std::string run_folder;       // in memory; made if it is missing
  std::string_view first_line;  // the file's first line: says what the records are; includes the newline
  std::function<std::unique_ptr<StateReader>()> make_reader;  // called by a thread of the file's own
  // How long an answer waits for the disk: longer for a full state, shorter if the disk is already late.
  std::chrono::milliseconds patience{1000};
};

class StateFile {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log, from any thread

  // Keeps other processes out of the folder. A folder on a read-only disk is accepted if it kept a state before, since
  // policy comes from elsewhere, too. The error names the folder and the remedy.
  static std::variant<std::unique_ptr<StateFile>, std::string> Open(StateSettings settings, Say say);
  // Finishes the write that is under way.
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Gives the file's records to the reader. False: there are none. Text: why it is not used; then drop the reader.
  std::variant<bool, std::string> Load(StateReader& reader);

  // Keeps the records of a full state.
  void Save(std::vector<std::string> full_state);
  // Keeps the record of an update, of at most kMaxRecordBytes.
  void Append(std::string update);

  // Returns once the end of this process cannot undo what was given so far, or once a restart would begin with nothing.
  // In that case it says why, as not_kept does.
  std::string AwaitWritten();
  // Updates are dropped until a full state is given: none was given yet, or the file was given up. Any thread.
  bool wants_full_state() const;
  // Returns why a restart would not begin with what was given so far; empty: it would.
  std::string not_kept() const;
  // Returns once everything given so far is on disk, or has failed to get there.
  void Flush();

 private:
  struct Job {
    // kForget: what was given is lost, and the file must go.
    enum class Kind { kNone, kUpdates, kFull, kForget };
    Kind kind = Kind::kNone;           // kFull: includes the updates that follow it
    std::vector<std::string> records;  // for kForget: only the reason
  };
  enum class Kept { kKept, kLate, kFailing };
  enum class Writer { kIdle, kBusy, kPausing };                  // kPausing: before it tries again
  enum class Base { kNone, kGiven };                             // the state that an update would follow
  enum class Place { kInPlace, kAside };                         // where the file is
  enum class Fold { kIdle, kUnderWay, kStale, kDone, kFailed };  // kStale: it folds a state that was replaced

  StateFile(int folder, std::string path, Marker marker, StateSettings settings, Say say);

  // Requires the lock.
  std::string NotKept() const;
  void BehindAnswers(Kept kept);
  void GiveUp(std::string why);
  bool Settled() const;

  void OnLost(std::string why);

  // Called by the writing thread.
  void RunWriter();
  void WriteNext(std::unique_lock<std::mutex>& lock);
  void FinishFold(std::unique_lock<std::mutex>& lock);
  void DropFold();
  std::string Write(const Job& job);
  std::string Replace(const std::vector<std::string>& records);
  std::string AppendTo(const std::vector<std::string>& records);
  std::string TakeFolded(std::size_t from);
  bool SetAside(const Job& job);
  void SyncFolder();
  void SetSizes(std::size_t full_bytes, std::size_t file_bytes);

  void RunFolder();
  // Folds the first `bytes` of the file into one full state, in a file of its own.
  bool FoldFirst(std::size_t bytes);

  const int folder_;  // kept locked
  const std::string path_;
  const std::string aside_;   // where the file is while it lacks something
  const std::string folded_;  // what will replace the file's first bytes
  const StateSettings settings_;
  const Say say_;

  mutable std::mutex mutex_;  // protects the members below, and the marker
  std::condition_variable changed_;
  const Marker marker_;
  std::atomic<bool> stop_ = false;
  Base base_ = Base::kNone;
  Kept kept_;
  std::string problem_;  // in kFailing: the last problem that was told
  Job waiting_;
  std::size_t waiting_bytes_ = 0;       // of its updates
  std::chrono::milliseconds patience_;  // of the answer for what was given last
  Writer writer_state_ = Writer::kIdle;
  Fold fold_ = Fold::kIdle;
  std::size_t fold_bytes_ = 0;

  // Used only by the writing thread, and Load.
  std::size_t file_bytes_ = 0;
  std::size_t fold_at_ = 0;
  Place place_ = Place::kInPlace;
  std::unique_ptr<Syncer> syncer_;
  std::thread writer_;
  std::thread folder_thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_STATE_FILE_H_
