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
#include <optional>
#include <utility>

#include "api/limits.h"
#include "codec/codec.h"

namespace sluice {
namespace {

constexpr std::string_view kMagic = "sluice policy 1\n";
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMinBytesToCompact = std::size_t{16} << 20;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20;  // of updates that the disk does not take
constexpr std::chrono::seconds kBetweenAttempts(1);

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

// Puts the policy together again, record by record.
class Replay {
 public:
  // Nothing, or what is wrong.
  std::optional<Diagnostic> Add(const v1::PushRequest& record) {
    if (record.has_full_state()) {
      saved_.state_id = record.full_state().state_id();
      saved_.batch = record.full_state().batch();
      if (auto error = decoder_.Add(record.full_state())) return error;
      if (decoder_.complete()) saved_.policy = decoder_.Take();
      return std::nullopt;
    }
    if (!record.has_update() || !decoder_.complete()) return Wrong("an update stands before the full state's end");
    const v1::Update& message = record.update();
    if (message.state_id() != saved_.state_id || message.batch() != saved_.batch + 1) {
      return Wrong("batch " + std::to_string(message.batch()) + " follows batch " + std::to_string(saved_.batch));
    }
    PolicyUpdate update;
    if (auto error = DecodeUpdate(message, update)) return error;
    if (auto error = Check(saved_.policy, update)) return error;
    Apply(std::move(update), saved_.policy);
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
  return std::unique_ptr<StateFile>(new StateFile(fd, folder + "/policy.state", std::move(say)));
}

StateFile::StateFile(int folder, std::string path, Say say)
    : folder_(folder), path_(std::move(path)), say_(std::move(say)), thread_([this] { Run(); }) {}

StateFile::~StateFile() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  close(folder_);
}

std::variant<std::monostate, SavedState, std::string> StateFile::Load() {
  std::size_t good_bytes = 0;
  auto result = Read(good_bytes);
  if (const auto* error = std::get_if<std::string>(&result)) {
    return "state file '" + path_ + "' is refused: " + *error + "; it is kept until a new policy replaces it";
  }
  const std::lock_guard lock(mutex_);
  cut_off_ = !std::holds_alternative<SavedState>(result);
  if (cut_off_) return result;
  std::error_code ignored;
  if (std::filesystem::file_size(path_, ignored) != good_bytes) {
    say_("state file '" + path_ + "': its last update was cut short and is left out");
    if (truncate(path_.c_str(), static_cast<off_t>(good_bytes)) != 0) cut_off_ = true;
  }
  file_bytes_ = full_bytes_ = good_bytes;
  return result;
}

std::variant<std::monostate, SavedState, std::string> StateFile::Read(std::size_t& good_bytes) const {
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::monostate();
    return Errno("cannot be read");
  }
  std::string bytes(kMagic.size(), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (bytes != kMagic) return "it does not begin as one";
  Replay replay;
  good_bytes = kMagic.size();
  const auto corrupt = [&](const std::string& what) { return what + " at byte " + std::to_string(good_bytes); };
  while (true) {
    std::array<char, kHeaderBytes> header;
    file.read(header.data(), header.size());
    if (file.gcount() == 0 || (file.gcount() < static_cast<std::streamsize>(header.size()) && replay.complete())) break;
    if (file.gcount() < static_cast<std::streamsize>(header.size())) return corrupt("it ends early,");
    if (Crc({header.data(), 8}) != GetNumber(header.data() + 8)) return corrupt("checksum wrong");
    const std::uint32_t length = GetNumber(header.data());
    if (length > kMaxMessageBytes) return corrupt("a record that is too long");
    bytes.resize(length);
    file.read(bytes.data(), length);
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

void StateFile::Save(std::vector<std::string> full_state) { Give({true, std::move(full_state)}); }

void StateFile::Append(std::string update) {
  Job job;
  job.records.push_back(std::move(update));
  Give(std::move(job));
}

void StateFile::Give(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (job.is_full) {  // what it replaces need not be written first
      jobs_.clear();
      waiting_bytes_ = 0;
      cut_off_ = false;
    }
    if (cut_off_) return;
    for (const std::string& record : job.records) waiting_bytes_ += record.size();
    jobs_.push_back(std::move(job));
    if (!jobs_.back().is_full && waiting_bytes_ > kMaxWaitingBytes && !problem_.empty()) {
      cut_off_ = true;
      jobs_.clear();
      waiting_bytes_ = 0;
      say_("state file '" + path_ + "': given up until the next full state; a restart begins with what it holds");
    }
  }
  changed_.notify_all();
}

void StateFile::Flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return (jobs_.empty() && !busy_) || !problem_.empty(); });
}

std::string StateFile::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void StateFile::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    while (!job.is_full && !jobs_.empty() && !jobs_.front().is_full) {  // one fsync for all that came meanwhile
      std::move(jobs_.front().records.begin(), jobs_.front().records.end(), std::back_inserter(job.records));
      jobs_.pop_front();
    }
    waiting_bytes_ = 0;
    busy_ = true;
    lock.unlock();
    const std::string error = Write(job);
    lock.lock();
    busy_ = false;
    if (error != problem_ && !error.empty()) {
      say_("state file '" + path_ + "' " + error + "; a restart would begin with an older policy, or none");
    } else if (error != problem_) {
      say_("state file '" + path_ + "' is written again");
    }
    problem_ = error;
    if (!error.empty() && (jobs_.empty() || !jobs_.front().is_full) && !cut_off_) {
      for (const std::string& record : job.records) waiting_bytes_ += record.size();
      jobs_.push_front(std::move(job));
    }
    changed_.notify_all();
    if (error.empty()) continue;
    if (stop_) return;
    changed_.wait_for(lock, kBetweenAttempts, [this] { return stop_; });
  }
}

std::string StateFile::Write(const Job& job) {
  if (job.is_full) return Replace(job.records);
  if (std::string error = AppendTo(job.records); !error.empty()) return error;
  if (file_bytes_ - full_bytes_ > std::max(full_bytes_, kMinBytesToCompact)) return Compact();
  return "";
}

std::string StateFile::Replace(const std::vector<std::string>& records) {
  const std::string temporary = path_ + ".new";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Errno("cannot be made");
  std::size_t bytes = kMagic.size();
  std::string error = WriteAll(file, kMagic);
  if (error.empty()) error = WriteRecords(file, records, bytes);
  if (error.empty() && fsync(file) != 0) error = Errno("cannot be written");
  if (close(file) != 0 && error.empty()) error = Errno("cannot be written");
  if (error.empty() && rename(temporary.c_str(), path_.c_str()) != 0) error = Errno("cannot be replaced");
  if (!error.empty()) {
    unlink(temporary.c_str());
    return error;
  }
  fsync(folder_);
  file_bytes_ = full_bytes_ = bytes;
  return "";
}

std::string StateFile::AppendTo(const std::vector<std::string>& records) {
  const int file = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return Errno("cannot be opened");
  std::size_t bytes = file_bytes_;
  std::string error;
  if (lseek(file, static_cast<off_t>(bytes), SEEK_SET) < 0) error = Errno("cannot be written");
  if (error.empty()) error = WriteRecords(file, records, bytes);
  if (error.empty() && fdatasync(file) != 0) error = Errno("cannot be written");
  if (!error.empty() && ftruncate(file, static_cast<off_t>(file_bytes_)) != 0) error += ", and holds half an update";
  close(file);
  if (error.empty()) file_bytes_ = bytes;
  return error;
}

std::string StateFile::Compact() {
  std::size_t good_bytes = 0;
  const auto read = Read(good_bytes);
  const auto* saved = std::get_if<SavedState>(&read);
  if (saved == nullptr) return "cannot be read back";
  std::vector<std::string> records;
  EncodeFullState(saved->policy, saved->state_id, saved->batch, kChunkBytes, [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest record;
    *record.mutable_full_state() = chunk;
    records.push_back(record.SerializeAsString());
    return true;
  });
  return Replace(records);
}

}  // namespace sluice
