// The last accepted policy on disk, so that a restart begins with it.
//
// One file, DIR/policy.state: a full state as its sender cut it, then each update since, in order. A full state
// replaces the file at once (temporary file, fsync, rename); an update is appended. When the updates outgrow the full
// state, the file is read back and written anew: whoever applies policy never waits for the disk.
//
// A record is `length, CRC-32 of the payload, CRC-32 of these eight bytes` (4 bytes each, little endian) and a
// sluice.v1.PushRequest. An update whose writing was cut short is left out; anything else that does not fit is
// corruption, and then nothing of the file is used.
//
// Save and Append: the thread that applies policy. Load: before them. The file is written by a thread of its own.
#ifndef SLUICE_DATAPLANE_API_STATE_FILE_H_
#define SLUICE_DATAPLANE_API_STATE_FILE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
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

  // Returns once everything given so far is on disk, or has failed to get there.
  void Flush();
  // Why the file is behind; empty: it is not.
  std::string problem() const;

 private:
  struct Job {
    bool is_full = false;
    std::vector<std::string> records;
  };

  StateFile(int folder, std::string path, Say say);
  std::variant<std::monostate, SavedState, std::string> Read(std::size_t& good_bytes) const;
  void Give(Job job);
  void Run();
  std::string Write(const Job& job);
  std::string Replace(const std::vector<std::string>& records);
  std::string AppendTo(const std::vector<std::string>& records);
  std::string Compact();

  const int folder_;  // held locked
  const std::string path_;
  const Say say_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::size_t waiting_bytes_ = 0;
  bool busy_ = false;
  bool stop_ = false;
  bool cut_off_ = false;  // an update is lost: none after it may be appended
  std::string problem_;

  // The writing thread's own.
  std::size_t full_bytes_ = 0;
  std::size_t file_bytes_ = 0;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_STATE_FILE_H_
