#include "keep/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <utility>

#include "keep/errno_text.h"

namespace sluice {
namespace {

constexpr std::size_t kMinBytesToFold = std::size_t{16} << 20;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20;  // of waiting updates, up to which another one may join
constexpr std::chrono::seconds kBetweenAttempts(1);

// How long an answer waits beyond the patience: for a full state, and for an update if the disk is already late.
constexpr std::size_t kBytesAMillisecond = 16'000;
constexpr std::chrono::milliseconds kMostForBytes(10'000);
constexpr std::chrono::milliseconds kPatienceWhenLate(20);

constexpr std::string_view kLacks = "lacks policy that was in force when the disk took no more of it";

bool IsThere(const std::string& path) {
  std::error_code none;
  return std::filesystem::exists(path, none);
}

}  // namespace

std::variant<std::unique_ptr<StateFile>, std::string> StateFile::Open(StateSettings settings, Say say) {
  const std::string name = "state folder '" + settings.folder + "'";
  std::error_code error;
  std::filesystem::create_directories(settings.folder, error);
  const int fd = open(settings.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoText(name) + "; give --state a folder that may be written";
  const auto refuse = [fd](std::string message) {
    close(fd);
    return message;
  };
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return refuse(name + " is in use by another sluiced; give each its own --state");
  }
  const std::string path = settings.folder + "/policy.state";
  if (faccessat(fd, ".", W_OK, 0) != 0) {
    const bool read_only = errno == EROFS;
    const std::string why = ErrnoText(name);
    if (!read_only || (!IsThere(path) && !IsThere(path + ".behind"))) {
      return refuse(why + "; give --state a folder that may be written");
    }
    say(why + "; policy that comes is not kept");
  }
  const std::filesystem::path absolute = std::filesystem::canonical(settings.folder, error);
  if (error) return refuse(name + ": " + error.message());
  auto marker = Marker::Open(settings.run_folder, absolute.string());
  if (auto* why = std::get_if<std::string>(&marker)) return refuse(std::move(*why));
  for (const char* half : {".new", ".folded"}) unlink((path + half).c_str());
  return std::unique_ptr<StateFile>(
      new StateFile(fd, path, std::get<Marker>(std::move(marker)), std::move(settings), std::move(say)));
}

StateFile::StateFile(int folder, std::string path, Marker marker, StateSettings settings, Say say)
    : folder_(folder),
      path_(std::move(path)),
      aside_(path_ + ".behind"),
      folded_(path_ + ".folded"),
      settings_(std::move(settings)),
      say_(std::move(say)),
      marker_(std::move(marker)),
      kept_(marker_.stands() ? Kept::kFailing : Kept::kKept),
      problem_(marker_.stands() ? kLacks : ""),
      patience_(settings_.patience),
      syncer_(std::make_unique<Syncer>(path_, [this](std::string why) { OnLost(std::move(why)); })),
      writer_([this] { RunWriter(); }),
      folder_thread_([this] { RunFolder(); }) {}

StateFile::~StateFile() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  writer_.join();
  folder_thread_.join();
  syncer_.reset();
  marker_.Close();
  close(folder_);
}

std::variant<bool, std::string> StateFile::Load(StateReader& reader) {
  const std::string name = "state file '" + path_ + "'";
  const std::lock_guard lock(mutex_);
  const bool marked = marker_.stands();
  if (marked || (!IsThere(path_) && IsThere(aside_))) {
    kept_ = Kept::kFailing;
    problem_ = kLacks;
    return name + ' ' + problem_ + " ('" + (marked ? marker_.path() : aside_) + "' says so): it is not used";
  }
  auto read = ReadRecords(path_, settings_.first_line, {}, [&](std::string_view record) { return reader.Add(record); });
  if (std::holds_alternative<std::monostate>(read)) return false;
  const auto refuse = [&](const std::string& why) {
    return name + " is refused: " + why + "; it is kept until a new policy replaces it";
  };
  if (const auto* why = std::get_if<std::string>(&read)) return refuse(*why);
  const auto [good_bytes, torn_bytes] = std::get<RecordsRead>(read);
  const std::string at = " at byte " + std::to_string(good_bytes);
  if (!reader.complete()) return refuse((torn_bytes != 0 ? "a record is damaged" : "it ends early,") + at);
  if (torn_bytes != 0) {
    say_(name + ": its last " + std::to_string(torn_bytes) + " bytes, from byte " + std::to_string(good_bytes) +
         " on, were not written whole: they are cut off");
    // If it cannot be cut, the next update overwrites it.
    if (truncate(path_.c_str(), static_cast<off_t>(good_bytes)) != 0) say_(name + ' ' + ErrnoText("cannot be cut"));
  }
  base_ = Base::kGiven;
  SetSizes(good_bytes, good_bytes);
  return true;
}

void StateFile::Save(std::vector<std::string> full_state) {
  {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const std::string& record : full_state) bytes += record.size();
    const std::chrono::milliseconds for_bytes(bytes / kBytesAMillisecond);
    patience_ = settings_.patience + std::min(for_bytes, kMostForBytes);
    waiting_ = {Job::Kind::kFull, std::move(full_state)};  // what it replaces need not be written first
    waiting_bytes_ = 0;
    base_ = Base::kGiven;
  }
  changed_.notify_all();
}

void StateFile::Append(std::string update) {
  {
    const std::lock_guard lock(mutex_);
    if (base_ == Base::kNone) return;
    if (waiting_bytes_ > kMaxWaitingBytes) return GiveUp("lacks updates that the disk was too slow for");
    if (waiting_.kind == Job::Kind::kNone) waiting_.kind = Job::Kind::kUpdates;
    if (waiting_.kind == Job::Kind::kUpdates) patience_ = settings_.patience;
    if (kept_ == Kept::kLate) patience_ = kPatienceWhenLate;
    waiting_bytes_ += update.size();
    waiting_.records.push_back(std::move(update));
  }
  changed_.notify_all();
}

void StateFile::GiveUp(std::string why) {
  base_ = Base::kNone;
  waiting_ = {Job::Kind::kForget, {std::move(why)}};
  waiting_bytes_ = 0;
  BehindAnswers(Kept::kLate);
  changed_.notify_all();
}

void StateFile::OnLost(std::string why) {
  const std::lock_guard lock(mutex_);
  if (waiting_.kind != Job::Kind::kFull) GiveUp(std::move(why));  // else a full state is about to replace it
}

bool StateFile::wants_full_state() const {
  const std::lock_guard lock(mutex_);
  return base_ == Base::kNone;
}

// While the writing thread is busy, the file that was set aside may come back without the records that wait.
bool StateFile::Settled() const {
  return base_ == Base::kNone || writer_state_ == Writer::kPausing ||
         (writer_state_ == Writer::kIdle && waiting_.kind == Job::Kind::kNone);
}

// From now on, answers go out for records that a restart would not find in the file.
void StateFile::BehindAnswers(Kept kept) {
  kept_ = kept;
  if (!marker_.Set()) {
    say_("'" + marker_.path() + "' " + ErrnoText("cannot be made") + "; a restart might begin with an older policy");
  }
}

std::string StateFile::AwaitWritten() {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, patience_, [this] { return Settled(); })) return NotKept();
  if (kept_ != Kept::kLate) say_("state file '" + path_ + "': the disk is slow");
  BehindAnswers(Kept::kLate);
  return NotKept();
}

std::string StateFile::NotKept() const {
  if (kept_ == Kept::kKept) return "";
  return "state file '" + path_ + "' " + (problem_.empty() ? "is not written yet: the disk is slow" : problem_);
}

std::string StateFile::not_kept() const {
  const std::lock_guard lock(mutex_);
  return NotKept();
}

void StateFile::Flush() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
      const bool idle = waiting_.kind == Job::Kind::kNone && writer_state_ == Writer::kIdle && fold_ == Fold::kIdle;
      return idle || !problem_.empty();
    });
  }
  syncer_->Flush();
}

void StateFile::RunWriter() {
  std::unique_lock lock(mutex_);
  const auto folded = [this] { return fold_ == Fold::kDone || fold_ == Fold::kFailed; };
  while (true) {
    changed_.wait(lock, [&] { return stop_ || waiting_.kind != Job::Kind::kNone || folded(); });
    if (folded()) {
      FinishFold(lock);
    } else if (waiting_.kind == Job::Kind::kNone) {
      return;
    } else {
      WriteNext(lock);
      if (waiting_.kind == Job::Kind::kNone || problem_.empty()) continue;
      if (stop_) return;
      writer_state_ = Writer::kPausing;
      changed_.notify_all();
      changed_.wait_for(lock, kBetweenAttempts, [this] { return stop_.load(); });
      writer_state_ = Writer::kIdle;
    }
  }
}

void StateFile::WriteNext(std::unique_lock<std::mutex>& lock) {
  Job job = std::exchange(waiting_, {});
  const std::size_t bytes = std::exchange(waiting_bytes_, 0);
  writer_state_ = Writer::kBusy;
  lock.unlock();
  const std::string error = Write(job);
  lock.lock();
  writer_state_ = Writer::kIdle;
  if (job.kind != Job::Kind::kUpdates) DropFold();
  if (error != problem_) say_("state file '" + path_ + "' " + (error.empty() ? "is written again" : error));
  problem_ = error;
  if (!error.empty()) {
    BehindAnswers(Kept::kFailing);
    // Tries once more, with what came meanwhile.
    if (job.kind != Job::Kind::kForget && waiting_.kind <= Job::Kind::kUpdates) {
      std::move(waiting_.records.begin(), waiting_.records.end(), std::back_inserter(job.records));
      waiting_ = std::move(job);
      waiting_bytes_ += bytes;
    }
  } else if (waiting_.kind == Job::Kind::kNone && kept_ != Kept::kKept) {
    kept_ = Kept::kKept;
    if (!marker_.Remove()) say_("'" + marker_.path() + "' " + ErrnoText("cannot be removed") + "; remove it by hand");
  } else if (kept_ == Kept::kFailing) {
    kept_ = Kept::kLate;
  }
  if (error.empty() && file_bytes_ > fold_at_ && fold_ == Fold::kIdle) {
    fold_ = Fold::kUnderWay;
    fold_bytes_ = file_bytes_;
  }
  changed_.notify_all();
}

// Nothing is folded of a state that was replaced meanwhile.
void StateFile::DropFold() {
  if (fold_ == Fold::kUnderWay) fold_ = Fold::kStale;
  if (fold_ != Fold::kDone && fold_ != Fold::kFailed) return;
  unlink(folded_.c_str());
  fold_ = Fold::kIdle;
}

void StateFile::FinishFold(std::unique_lock<std::mutex>& lock) {
  std::string error = fold_ == Fold::kFailed ? "cannot be folded" : "";
  lock.unlock();
  if (place_ == Place::kInPlace && !stop_) {
    if (error.empty()) error = TakeFolded(fold_bytes_);
    if (!error.empty()) {
      fold_at_ = 2 * file_bytes_;
      say_("state file '" + path_ + "' " + error + "; it grows");
    }
  }
  unlink(folded_.c_str());
  syncer_->Dirty();
  lock.lock();
  fold_ = Fold::kIdle;
  changed_.notify_all();
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
    const bool stale = fold_ == Fold::kStale;
    fold_ = done ? Fold::kDone : Fold::kFailed;
    if (stale) DropFold();
    changed_.notify_all();
  }
}

std::string StateFile::Write(const Job& job) {
  std::string error;
  if (job.kind == Job::Kind::kFull) error = Replace(job.records);
  if (job.kind == Job::Kind::kUpdates) error = AppendTo(job.records);
  if (job.kind == Job::Kind::kForget) error = job.records.front();
  if (error.empty()) return "";
  error += "; a restart would begin with no policy until a full state comes";
  if (!SetAside(job)) error += ", and a reboot with the policy before";
  return error;
}

std::string StateFile::Replace(const std::vector<std::string>& records) {
  const std::string temporary = path_ + ".new";
  std::size_t bytes = 0;
  std::string error = WriteRecords(temporary, settings_.first_line, records, bytes);
  if (error.empty() && rename(temporary.c_str(), path_.c_str()) != 0) error = ErrnoText("cannot be replaced");
  if (!error.empty()) {
    unlink(temporary.c_str());
    return error;
  }
  SyncFolder();
  unlink(aside_.c_str());
  place_ = Place::kInPlace;
  SetSizes(bytes, bytes);
  return "";
}

std::string StateFile::AppendTo(const std::vector<std::string>& records) {
  std::size_t bytes = file_bytes_;
  std::string error = AppendRecords(place_ == Place::kAside ? aside_ : path_, records, bytes);
  if (!error.empty()) return error;
  if (place_ == Place::kAside && rename(aside_.c_str(), path_.c_str()) != 0) return ErrnoText("cannot be put back");
  place_ = Place::kInPlace;
  file_bytes_ = bytes;
  syncer_->Dirty();
  return "";
}

// The file's content is no longer in force. If it is useful to continue from, it stays under another name; otherwise
// its space is needed. False: it is still there.
bool StateFile::SetAside(const Job& job) {
  if (job.kind == Job::Kind::kUpdates) {
    if (place_ == Place::kAside) return true;
    if (rename(path_.c_str(), aside_.c_str()) == 0) place_ = Place::kAside;
  } else {
    unlink(aside_.c_str());
    place_ = Place::kInPlace;
  }
  const bool gone = place_ == Place::kAside || unlink(path_.c_str()) == 0 || errno == ENOENT;
  SyncFolder();
  return gone;
}

void StateFile::SyncFolder() {
  if (fsync(folder_) != 0) say_("state file '" + path_ + "': " + ErrnoText("the disk may lose its name"));
}

void StateFile::SetSizes(std::size_t full_bytes, std::size_t file_bytes) {
  file_bytes_ = file_bytes;
  fold_at_ = full_bytes + std::max(full_bytes, kMinBytesToFold);
}

bool StateFile::FoldFirst(std::size_t bytes) {
  const auto reader = settings_.make_reader();
  const auto read = ReadRecords(path_, settings_.first_line, {bytes, &stop_},
                                [&](std::string_view record) { return reader->Add(record); });
  const auto* records = std::get_if<RecordsRead>(&read);
  if (records == nullptr || records->good_bytes != bytes || !reader->complete()) return false;
  const std::vector<std::string> folded = reader->Fold();
  std::size_t written = 0;
  return !folded.empty() && WriteRecords(folded_, settings_.first_line, folded, written).empty();
}

// Appends the updates that came while the first `from` bytes were folded.
std::string StateFile::TakeFolded(std::size_t from) {
  std::error_code none;
  const std::size_t full_bytes = std::filesystem::file_size(folded_, none);
  if (std::string error = AppendRest(path_, from, folded_); !error.empty()) return error;
  if (rename(folded_.c_str(), path_.c_str()) != 0) return ErrnoText("cannot be replaced");
  SyncFolder();
  SetSizes(full_bytes, full_bytes + file_bytes_ - from);
  return "";
}

}  // namespace sluice
