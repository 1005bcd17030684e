#include "manifest/source.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>

#include "manifest/cluster_builder.h"
#include "manifest/files.h"
#include "manifest/folder_watch.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = DecodedObject::Outcome;

constexpr auto kSettle = std::chrono::milliseconds(50);
constexpr auto kLongestSettle = std::chrono::milliseconds(500);
// How often to look, whatever inotify reports (it misses network file systems and mounts, and has limits), and at how
// many paths at most: a look takes some milliseconds, and many thousands of files are looked at in turns.
constexpr auto kLookBehindInotify = std::chrono::seconds(2);
constexpr auto kLookAlone = std::chrono::seconds(1);
constexpr std::size_t kMostLooked = 4096;
// File systems stamp in steps of their clock: a file as young as this may change again without a new stamp.
constexpr std::int64_t kStampStep_ns = 100'000'000;

bool IsGood(const DecodedObject& object) {
  return object.outcome == Outcome::kAccepted || object.outcome == Outcome::kKept;
}

// Also true for the folder itself.
bool IsWithin(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) &&
         (folder.ends_with('/') || path.size() == folder.size() || path[folder.size()] == '/');
}

// Decides by the time of the last change, which nobody can set.
bool IsYoung(const FileStamp& stamp) {
  const std::int64_t now_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return std::abs(now_ns - stamp.changed_ns) <= kStampStep_ns;
}

int Milliseconds(Clock::duration time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::max(time, Clock::duration{})).count());
}

}  // namespace

class ManifestSource::State {
 public:
  State(std::vector<std::string> paths, Watching watching, ReadSettings settings)
      : paths_(std::move(paths)), settings_(settings) {
    if (watching == Watching::kInotify) watch_.emplace();
  }

  Manifests Load();
  std::vector<std::string> Records() const;
  void Remember(KeptManifests kept);
  int fd() const { return watch_ ? watch_->fd() : -1; }
  int TimeoutMs() const;
  bool ConsumeEvents();

 private:
  struct File {
    FileStamp stamp;
    bool settled = false;  // false: read again next time, whatever its stamp
    bool known = false;    // `content` has what it holds, or held when it was last readable
    FileObjects content;
  };
  using Files = std::map<std::string, File>;
  // The good objects of the last load, by name; made when first needed.
  using GoodObjects = std::unordered_map<std::string, const DecodedObject*>;

  FileList List();
  bool Changed();
  bool Look();
  Clock::duration LookInterval() const { return fd() >= 0 ? kLookBehindInotify : kLookAlone; }
  File Read(const ManifestFile& file);
  std::vector<std::string> Keep(const std::string& unreadable, Files& files);
  void NoteReadable(const FileList& list);
  void KeepRefused(const std::string& path, FileObjects& content);
  void KeepUnnamed(const std::string& path, FileObjects& content);
  const DecodedObject* LastGood(const ObjectKey& key);

  const std::vector<std::string> paths_;
  const ReadSettings settings_;
  std::optional<FolderWatch> watch_;
  Files files_;
  bool unsettled_ = false;            // some file of the last load is not settled
  std::vector<ManifestFile> listed_;  // by the last load
  std::vector<UnreadablePath> unreadable_;
  std::set<std::string> readable_before_;  // were readable, and have not become unreadable unseen
  std::set<std::string> done_without_;     // by the process before this one
  std::vector<std::string> unread_;        // by the last load
  std::vector<ManifestFile> looked_;       // everything that looks compare, as last listed
  std::size_t next_looked_ = 0;
  bool listed_young_ = false;  // after listing, something may have changed without a new stamp
  std::optional<GoodObjects> good_;
  std::optional<Clock::time_point> first_event_;
  Clock::time_point last_event_;
  Clock::time_point last_look_;
};

Manifests ManifestSource::State::Load() {
  first_event_.reset();
  if (watch_) watch_->Drain();
  FileList list = List();
  ClusterBuilder builder;
  builder.AddDiagnostics(list.diagnostics);
  good_.reset();
  unsettled_ = false;
  Files files;
  for (const ManifestFile& file : list.files) {
    const auto last = files_.find(file.path);
    const bool unchanged = last != files_.end() && last->second.settled && last->second.stamp == file.stamp;
    if (unchanged) continue;
    const File& read = files[file.path] = Read(file);
    unsettled_ = unsettled_ || !read.settled;
  }
  // Unchanged files are moved only now, when nothing needs their last good versions any more.
  for (const ManifestFile& file : list.files) {
    if (!files.contains(file.path)) files.insert(files_.extract(file.path));
  }
  std::vector<std::string> order;
  auto unreadable = list.unreadable.begin();
  for (std::size_t place = 0; place <= list.files.size(); ++place) {
    for (; unreadable != list.unreadable.end() && unreadable->place == place; ++unreadable) {
      const std::vector<std::string> kept = Keep(unreadable->path, files);
      order.insert(order.end(), kept.begin(), kept.end());
      const bool known = !kept.empty() || readable_before_.contains(unreadable->path);
      if (unreadable->expected && !known) builder.AddUnread(unreadable->path);
    }
    if (place < list.files.size()) order.push_back(list.files[place].path);
  }
  for (const std::string& path : order) {
    const File& file = files[path];
    builder.AddDiagnostics(file.content.diagnostics);
    if (!file.known || file.content.HoldsUnclear()) builder.AddUnread(path);
    for (const DecodedObject& object : file.content.objects) builder.Add(object, path);
  }
  files_ = std::move(files);
  good_.reset();
  NoteReadable(list);
  listed_ = std::move(list.files);
  unreadable_ = std::move(list.unreadable);
  last_look_ = Clock::now();
  Manifests manifests = std::move(builder).Finish();
  unread_ = manifests.unread;
  std::erase_if(manifests.unread, [this](const std::string& path) { return done_without_.contains(path); });
  return manifests;
}

std::vector<std::string> ManifestSource::State::Records() const {
  KeptManifestsEncoder encoder;
  for (const auto& [path, file] : files_) {
    encoder.BeginFile(path);
    for (const DecodedObject& object : file.content.objects) {
      if (IsGood(object)) encoder.Add(object);
    }
  }
  for (const std::string& path : readable_before_) encoder.AddReadable(path);
  for (const std::string& path : unread_) encoder.AddUnread(path);
  return std::move(encoder).Take();
}

void ManifestSource::State::Remember(KeptManifests kept) {
  for (KeptFile& file : kept.files) {
    File& remembered = files_[file.path];
    remembered.known = true;
    std::move(file.objects.begin(), file.objects.end(), std::back_inserter(remembered.content.objects));
  }
  readable_before_.insert(kept.readable.begin(), kept.readable.end());
  done_without_.insert(kept.unread.begin(), kept.unread.end());
}

// Moves over what the last load had below that path. Returns the paths of these files.
std::vector<std::string> ManifestSource::State::Keep(const std::string& unreadable, Files& files) {
  std::vector<std::string> kept;
  for (auto& [path, last] : files_) {
    if (!IsWithin(path, unreadable) || files.contains(path)) continue;
    File& file = files[path] = std::move(last);
    file.settled = false;
    file.content.diagnostics = {
        {Severity::kNote, path, 0, {}, {}, "it or its folder cannot be read; what it held stays in force"}};
    kept.push_back(path);
  }
  std::sort(kept.begin(), kept.end(), [](const std::string& a, const std::string& b) {
    return std::filesystem::path(a) < std::filesystem::path(b);  // compares name by name, as folders are listed
  });
  return kept;
}

void ManifestSource::State::NoteReadable(const FileList& list) {
  std::set<std::string> readable;
  for (const ManifestFile& path : list.files) readable.insert(path.path);
  for (const ManifestFile& path : list.others) readable.insert(path.path);
  for (const UnreadablePath& path : list.unreadable) {
    if (!readable_before_.contains(path.path)) readable.erase(path.path);
  }
  readable_before_ = std::move(readable);
}

// A folder that appears between listing and watching could change unseen. So this lists again until none is new.
FileList ManifestSource::State::List() {
  FileList list = ListManifests(paths_);
  for (int attempt = 0; watch_ && attempt < 10 && watch_->Watch(list.watched); ++attempt) list = ListManifests(paths_);
  looked_ = list.files;
  looked_.insert(looked_.end(), list.others.begin(), list.others.end());
  next_looked_ = 0;
  listed_young_ = std::any_of(looked_.begin(), looked_.end(), [](const auto& path) { return IsYoung(path.stamp); });
  return list;
}

ManifestSource::State::File ManifestSource::State::Read(const ManifestFile& file) {
  const bool settled = !IsYoung(file.stamp);
  File read{file.stamp, settled, true, ReadManifest(file.path, settings_)};
  KeepRefused(file.path, read.content);
  if (read.content.broken) KeepUnnamed(file.path, read.content);
  const auto last = files_.find(file.path);
  read.known = !read.content.unread || (last != files_.end() && last->second.known);
  return read;
}

void ManifestSource::State::KeepRefused(const std::string& path, FileObjects& content) {
  for (DecodedObject& object : content.objects) {
    if (object.outcome != Outcome::kRefused || object.key.name.empty()) continue;
    const DecodedObject* last = LastGood(object.key);
    if (last == nullptr) continue;
    object.object = last->object;
    object.outcome = Outcome::kKept;
    content.diagnostics.push_back(
        {Severity::kNote, path, object.line, object.key.ToString(), {}, "its last good version stays in force"});
  }
}

void ManifestSource::State::KeepUnnamed(const std::string& path, FileObjects& content) {
  const auto last = files_.find(path);
  if (last == files_.end()) return;
  std::unordered_map<std::string, int> named;
  for (const DecodedObject& object : content.objects) ++named[object.key.ToString()];
  std::size_t kept = 0;
  for (const DecodedObject& object : last->second.content.objects) {
    if (!IsGood(object) || named.contains(object.key.ToString())) continue;
    DecodedObject& copy = content.objects.emplace_back(object);
    copy.outcome = Outcome::kKept;
    ++kept;
  }
  if (kept == 0) return;
  content.diagnostics.push_back(
      {Severity::kNote,
       path,
       0,
       {},
       {},
       std::to_string(kept) + " objects that it held when it was last readable stay in force"});
}

const DecodedObject* ManifestSource::State::LastGood(const ObjectKey& key) {
  if (!good_) {
    good_.emplace();
    for (const auto& [path, file] : files_) {
      for (const DecodedObject& object : file.content.objects) {
        if (IsGood(object)) good_->try_emplace(object.key.ToString(), &object);
      }
    }
  }
  const auto found = good_->find(key.ToString());
  return found == good_->end() ? nullptr : found->second;
}

int ManifestSource::State::TimeoutMs() const {
  const Clock::time_point now = Clock::now();
  if (first_event_) return Milliseconds(std::min(last_event_ + kSettle, *first_event_ + kLongestSettle) - now);
  return Milliseconds(last_look_ + LookInterval() - now);
}

bool ManifestSource::State::ConsumeEvents() {
  const Clock::time_point now = Clock::now();
  bool suspected = watch_ && watch_->Drain();
  if (now - last_look_ >= LookInterval()) {
    last_look_ = now;
    suspected = Look() || suspected;
  }
  if (suspected) {
    if (!first_event_) first_event_ = now;
    last_event_ = now;
  }
  if (!first_event_ || (now - last_event_ < kSettle && now - *first_event_ < kLongestSettle)) return false;
  first_event_.reset();
  return Changed();
}

// True iff something may have changed.
bool ManifestSource::State::Look() {
  // inotify reports changes that give no new stamp.
  if (fd() < 0 && (listed_young_ || unsettled_)) return true;
  for (std::size_t looks = std::min(kMostLooked, looked_.size()); looks > 0; --looks) {
    if (next_looked_ >= looked_.size()) next_looked_ = 0;
    const ManifestFile& path = looked_[next_looked_++];
    if (StampOf(path.path) != path.stamp) return true;
  }
  return false;
}

// Events and looks also report files that are no manifests of ours.
bool ManifestSource::State::Changed() {
  const FileList list = List();
  return unsettled_ || list.files != listed_ || list.unreadable != unreadable_;
}

ManifestSource::ManifestSource(std::vector<std::string> paths, Watching watching, ReadSettings settings)
    : state_(std::make_unique<State>(std::move(paths), watching, settings)) {}

ManifestSource::~ManifestSource() = default;

Manifests ManifestSource::Load() { return state_->Load(); }
std::vector<std::string> ManifestSource::Records() const { return state_->Records(); }
void ManifestSource::Remember(KeptManifests kept) { state_->Remember(std::move(kept)); }
int ManifestSource::fd() const { return state_->fd(); }
int ManifestSource::TimeoutMs() const { return state_->TimeoutMs(); }
bool ManifestSource::ConsumeEvents() { return state_->ConsumeEvents(); }

}  // namespace sluice
