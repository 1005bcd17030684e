#include "api/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "api/limits.h"
#include "codec/codec.h"

namespace sluice {
namespace {

constexpr std::string_view kMagic = "sluice policy 1\n";
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMinBytesToFold = std::size_t{16} << 20;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20;  // of updates that the disk does not take
constexpr std::chrono::seconds kBetweenAttempts(1);
constexpr std::chrono::milliseconds kBetweenSyncs(100);
constexpr std::chrono::seconds kMostWait(1);  // of an answer, for the disk

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void PutNumber(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(value >> (8 * i));
}

std::uint32_t GetNumber(const char* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<std::uint8_t>(from[i])} << (8 * i);
  return value;
}

std::array<char, kHeaderBytes> HeaderOf(std::string_view payload) {
  std::array<char, kHeaderBytes> header;
  PutNumber(static_cast<std::uint32_t>(payload.size()), header.data());
  PutNumber(Crc(payload), header.data() + 4);
  PutNumber(Crc({header.data(), 8}), header.data() + 8);
  return header;
}

std::string Errno(const std::string& what) { return what + ": " + std::strerror(errno); }

std::string WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Errno("cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return "";
}

std::string WriteRecords(int file, const std::vector<std::string>& records, std::size_t& bytes) {
  for (const std::string& record : records) {
    const auto header = HeaderOf(record);
    if (std::string error = WriteAll(file, {header.data(), header.size()}); !error.empty()) return error;
    if (std::string error = WriteAll(file, record); !error.empty()) return error;
    bytes += kHeaderBytes + record.size();
  }
  return "";
}

// A file that was not there, or what was, of these records, on disk.
std::string WriteNew(const std::string& path, const std::vector<std::string>& records, std::size_t& bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Errno("cannot be made");
  bytes = kMagic.size();
  std::string error = WriteAll(file, kMagic);
  if (error.empty()) error = WriteRecords(file, records, bytes);
  if (error.empty() && fsync(file) != 0) error = Errno("cannot be written");
  if (close(file) != 0 && error.empty()) error = Errno("cannot be written");
  return error;
}

// Appends what `source` holds from its byte `from` on, on disk.
std::string CopyFrom(const std::string& source, std::size_t from, const std::string& target) {
  const int in = open(source.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(target.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  std::string error;
  if (in < 0 || out < 0 || lseek(in, static_cast<off_t>(from), SEEK_SET) < 0) error = Errno("cannot be read back");
  std::string bytes(std::size_t{256} << 10, '\0');
  while (error.empty()) {
    const ssize_t size = read(in, bytes.data(), bytes.size());
    if (size < 0) error = Errno("cannot be read back");
    if (size <= 0) break;
    error = WriteAll(out, std::string_view(bytes).substr(0, static_cast<std::size_t>(size)));
  }
  if (error.empty() && fsync(out) != 0) error = Errno("cannot be written");
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return error;
}

// Puts the policy together again, record by record.
class Replay {
 public:
  // Nothing, or what is wrong.
  std::optional<Diagnostic> Add(const v1::PushRequest& record) {
    if (record.has_full_state()) {
      saved_.state_id = record.full_state().state_id();
      saved_.batch = record.full_state().batch();
      if (auto error = decoder_.Add(record.full_state())) return error;
      if (!decoder_.complete()) return std::nullopt;
      saved_.policy = decoder_.Take();
      index_ = UpdateIndex(saved_.policy);
      return std::nullopt;
    }
    if (!record.has_update() || !decoder_.complete()) return Wrong("an update stands before the full state's end");
    const v1::Update& message = record.update();
    if (message.state_id() != saved_.state_id || message.batch() != saved_.batch + 1) {
      return Wrong("batch " + std::to_string(message.batch()) + " follows batch " + std::to_string(saved_.batch));
    }
    PolicyUpdate update;
    if (auto error = DecodeUpdate(message, update)) return error;
    if (auto error = Check(saved_.policy, update, &index_)) return error;
    index_.Follow(Apply(std::move(update), saved_.policy, &index_), saved_.policy);
    saved_.batch = message.batch();
    return std::nullopt;
  }

  bool complete() const { return decoder_.complete(); }

  SavedState Take() { return std::move(saved_); }

 private:
  static Diagnostic Wrong(std::string message) {
    Diagnostic diagnostic;
    diagnostic.message = std::move(message);
    return diagnostic;
  }

  FullStateDecoder decoder_;
  SavedState saved_;
  UpdateIndex index_;  // of the policy
};

}  // namespace

std::variant<std::unique_ptr<StateFile>, std::string> StateFile::Open(const std::string& folder, Say say) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Errno("state folder '" + folder + "'") + "; give --state a folder that may be written";
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return "state folder '" + folder + "' is in use by another sluiced; give each its own --state";
  }
  if (faccessat(fd, ".", W_OK, 0) != 0) {
    std::string message = Errno("state folder '" + folder + "'") + "; give --state a folder that may be written";
    close(fd);
    return message;
  }
  const std::string path = folder + "/policy.state";
  for (const char* half : {".new", ".folded"}) unlink((path + half).c_str());
  return std::unique_ptr<StateFile>(new StateFile(fd, path, std::move(say)));
}

StateFile::StateFile(int folder, std::string path, Say say)
    : folder_(folder),
      path_(std::move(path)),
      aside_(path_ + ".behind"),
      folded_(path_ + ".folded"),
      say_(std::move(say)),
      writer_([this] { RunWriter(); }),
      syncer_([this] { RunSyncer(); }),
      folder_thread_([this] { RunFolder(); }) {}

StateFile::~StateFile() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  writer_.join();
  {
    const std::lock_guard lock(mutex_);
    written_ = true;
  }
  changed_.notify_all();
  syncer_.join();
  folder_thread_.join();
  close(folder_);
}

std::variant<std::monostate, SavedState, std::string> StateFile::Load() {
  std::error_code none;
  if (!std::filesystem::exists(path_, none) && std::filesystem::exists(aside_, none)) {
    const std::lock_guard lock(mutex_);
    cut_off_ = true;
    return "state file '" + aside_ +
           "' lacks policy that was in force when the disk took no more of it: it is not used";
  }
  std::size_t good_bytes = 0;
  auto result = Read(std::numeric_limits<std::size_t>::max(), good_bytes);
  const std::lock_guard lock(mutex_);
  cut_off_ = !std::holds_alternative<SavedState>(result);
  if (const auto* error = std::get_if<std::string>(&result)) {
    return "state file '" + path_ + "' is refused: " + *error + "; it is kept until a new policy replaces it";
  }
  if (cut_off_) return result;
  std::error_code ignored;
  if (std::filesystem::file_size(path_, ignored) != good_bytes) {
    say_("state file '" + path_ + "': its last update was cut short and is left out");
    if (truncate(path_.c_str(), static_cast<off_t>(good_bytes)) != 0) cut_off_ = true;
  }
  SetSizes(good_bytes, good_bytes);
  return result;
}

std::variant<std::monostate, SavedState, std::string> StateFile::Read(std::size_t most_bytes,
                                                                      std::size_t& good_bytes) const {
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::monostate();
    return Errno("cannot be read");
  }
  std::string bytes(kMagic.size(), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) return Errno("cannot be read");
  if (bytes != kMagic) return "it does not begin as one";
  Replay replay;
  good_bytes = kMagic.size();
  const auto corrupt = [&](const std::string& what) { return what + " at byte " + std::to_string(good_bytes); };
  while (good_bytes < most_bytes) {
    if (stop_) return "sluiced ends";
    std::array<char, kHeaderBytes> header;
    file.read(header.data(), header.size());
    if (file.bad()) return Errno("cannot be read");
    if (file.gcount() == 0 || (file.gcount() < static_cast<std::streamsize>(header.size()) && replay.complete())) break;
    if (file.gcount() < static_cast<std::streamsize>(header.size())) return corrupt("it ends early,");
    if (Crc({header.data(), 8}) != GetNumber(header.data() + 8)) return corrupt("checksum wrong");
    const std::uint32_t length = GetNumber(header.data());
    if (length > kMaxMessageBytes) return corrupt("a record that is too long");
    bytes.resize(length);
    file.read(bytes.data(), length);
    if (file.bad()) return Errno("cannot be read");
    if (file.gcount() < static_cast<std::streamsize>(length)) {
      if (replay.complete()) break;
      return corrupt("it ends early,");
    }
    v1::PushRequest record;
    if (Crc(bytes) != GetNumber(header.data() + 4) || !record.ParseFromString(bytes)) return corrupt("checksum wrong");
    if (const auto error = replay.Add(record)) return corrupt(error->ToString());
    good_bytes += kHeaderBytes + length;
  }
  if (!replay.complete()) return corrupt("it ends early,");
  return replay.Take();
}

void StateFile::Save(std::vector<std::string> full_state) {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = {.is_full = true, .records = std::move(full_state)};  // what it replaces need not be written first
    waiting_bytes_ = 0;
    cut_off_ = false;
  }
  changed_.notify_all();
}

void StateFile::Append(std::string update) {
  {
    const std::lock_guard lock(mutex_);
    if (cut_off_) return;
    waiting_bytes_ += update.size();
    waiting_.records.push_back(std::move(update));
    if (waiting_bytes_ > kMaxWaitingBytes) {
      cut_off_ = true;
      waiting_ = {.is_full = true, .records = {}};
      waiting_bytes_ = 0;
    }
  }
  changed_.notify_all();
}

void StateFile::AwaitWritten() {
  std::unique_lock lock(mutex_);
  // While the writing thread is busy, the file that was set aside may come back without what waits.
  const auto written = [this] { return (!busy_ && (waiting_.empty() || !problem_.empty())) || cut_off_; };
  if (slow_ && !written()) return;
  slow_ = !changed_.wait_for(lock, kMostWait, written);
  if (slow_) say_("state file '" + path_ + "': the disk is slow; a restart might begin with an older policy");
}

void StateFile::Flush() {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] {
    return (waiting_.empty() && !busy_ && !unsynced_ && !syncing_ && fold_ == Fold::kIdle) || !problem_.empty();
  });
}

std::string StateFile::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void StateFile::RunWriter() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [this] { return stop_ || !waiting_.empty() || fold_ == Fold::kDone || fold_ == Fold::kFailed; });
    if (fold_ == Fold::kDone || fold_ == Fold::kFailed) {
      const bool failed = fold_ == Fold::kFailed;
      lock.unlock();
      std::string error;
      if (!fold_stale_ && !is_aside_ && !stop_) error = failed ? "cannot be folded" : TakeFolded(fold_bytes_);
      unlink(folded_.c_str());
      if (!error.empty()) {
        fold_at_ = 2 * file_bytes_;
        say_("state file '" + path_ + "' " + error + "; it grows");
      }
      lock.lock();
      fold_ = Fold::kIdle;
      unsynced_ = true;
      changed_.notify_all();
      continue;
    }
    if (waiting_.empty()) break;
    Job job = std::exchange(waiting_, {});
    const std::size_t bytes = std::exchange(waiting_bytes_, 0);
    busy_ = true;
    lock.unlock();
    const std::string error = Write(job);
    lock.lock();
    busy_ = false;
    unsynced_ |= !job.is_full && error.empty();
    if (error != problem_) say_("state file '" + path_ + "' " + (error.empty() ? "is written again" : error));
    problem_ = error;
    if (!error.empty() && !job.records.empty() && !waiting_.is_full) {  // once more, with what came meanwhile
      std::move(waiting_.records.begin(), waiting_.records.end(), std::back_inserter(job.records));
      waiting_ = std::move(job);
      waiting_bytes_ += bytes;
    }
    if (error.empty() && file_bytes_ > fold_at_ && fold_ == Fold::kIdle) {
      fold_ = Fold::kUnderWay;
      fold_bytes_ = file_bytes_;
      fold_stale_ = false;
    }
    changed_.notify_all();
    if (error.empty()) continue;
    if (stop_) break;
    changed_.wait_for(lock, kBetweenAttempts, [this] { return stop_.load(); });
  }
}

// Of appended updates. A full state is synced by who writes it.
void StateFile::RunSyncer() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return written_ || unsynced_; });
    if (!unsynced_) return;
    changed_.wait_for(lock, kBetweenSyncs, [this] { return written_ || hurry_; });
    unsynced_ = false;
    hurry_ = false;
    syncing_ = true;
    lock.unlock();
    const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool failed = file < 0 ? errno != ENOENT : fdatasync(file) != 0;  // ENOENT: it was set aside
    if (failed) say_("state file '" + path_ + "': " + Errno("the disk may lose some of it"));
    if (file >= 0) close(file);
    lock.lock();
    syncing_ = false;
    changed_.notify_all();
  }
}

void StateFile::RunFolder() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || fold_ == Fold::kUnderWay; });
    if (stop_) return;
    const std::size_t bytes = fold_bytes_;
    lock.unlock();
    const bool done = FoldFirst(bytes);
    lock.lock();
    fold_ = done ? Fold::kDone : Fold::kFailed;
    changed_.notify_all();
  }
}

std::string StateFile::Write(const Job& job) {
  std::string error = "lacks updates that the disk was too slow for";
  if (!job.records.empty()) error = job.is_full ? Replace(job.records) : AppendTo(job.records);
  if (job.is_full) fold_stale_ = true;
  if (error.empty()) return "";
  if (SetAside(!job.is_full)) return error + "; a restart would begin with no policy";
  return error + " and cannot be set aside; a restart would begin with the policy before";
}

std::string StateFile::Replace(const std::vector<std::string>& records) {
  const std::string temporary = path_ + ".new";
  std::size_t bytes = 0;
  std::string error = WriteNew(temporary, records, bytes);
  if (error.empty() && rename(temporary.c_str(), path_.c_str()) != 0) error = Errno("cannot be replaced");
  if (!error.empty()) {
    unlink(temporary.c_str());
    return error;
  }
  SyncFolder();
  unlink(aside_.c_str());
  is_aside_ = false;
  SetSizes(bytes, bytes);
  return "";
}

std::string StateFile::AppendTo(const std::vector<std::string>& records) {
  const int file = open((is_aside_ ? aside_ : path_).c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return Errno("cannot be opened");
  std::size_t bytes = file_bytes_;
  std::string error;
  if (lseek(file, static_cast<off_t>(bytes), SEEK_SET) < 0) error = Errno("cannot be written");
  if (error.empty()) error = WriteRecords(file, records, bytes);
  if (!error.empty() && ftruncate(file, static_cast<off_t>(file_bytes_)) != 0) error += ", and holds half an update";
  close(file);
  if (!error.empty()) return error;
  if (is_aside_ && rename(aside_.c_str(), path_.c_str()) != 0) return Errno("cannot be put back");
  is_aside_ = false;
  file_bytes_ = bytes;
  return "";
}

// What the file holds is in force no more. Unless it is of use to go on from, its room is. False: it is still there.
bool StateFile::SetAside(bool of_use) {
  if (of_use && !is_aside_) is_aside_ = rename(path_.c_str(), aside_.c_str()) == 0;
  if (!of_use) {
    unlink(aside_.c_str());
    is_aside_ = false;
  }
  const bool gone = is_aside_ || unlink(path_.c_str()) == 0 || errno == ENOENT;
  SyncFolder();
  return gone;
}

void StateFile::SyncFolder() {
  if (fsync(folder_) != 0) say_("state file '" + path_ + "': " + Errno("the disk may lose its name"));
}

void StateFile::SetSizes(std::size_t full_bytes, std::size_t file_bytes) {
  file_bytes_ = file_bytes;
  fold_at_ = full_bytes + std::max(full_bytes, kMinBytesToFold);
}

bool StateFile::FoldFirst(std::size_t bytes) {
  std::size_t good_bytes = 0;
  const auto read = Read(bytes, good_bytes);
  const auto* saved = std::get_if<SavedState>(&read);
  if (saved == nullptr || good_bytes != bytes) return false;
  std::vector<std::string> records;
  const auto add = [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest record;
    *record.mutable_full_state() = chunk;
    records.push_back(record.SerializeAsString());
    return records.back().size() <= kMaxMessageBytes;  // what is larger would not be read again
  };
  std::size_t written = 0;
  return EncodeFullState(saved->policy, saved->state_id, saved->batch, kChunkBytes, add) &&
         WriteNew(folded_, records, written).empty();
}

// The updates that came while the first `from` bytes were folded follow them.
std::string StateFile::TakeFolded(std::size_t from) {
  std::error_code none;
  const std::size_t full_bytes = std::filesystem::file_size(folded_, none);
  if (std::string error = CopyFrom(path_, from, folded_); !error.empty()) return error;
  if (rename(folded_.c_str(), path_.c_str()) != 0) return Errno("cannot be replaced");
  SyncFolder();
  SetSizes(full_bytes, full_bytes + file_bytes_ - from);
  return "";
}

}  // namespace sluice
