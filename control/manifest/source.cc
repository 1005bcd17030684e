#include "manifest/source.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
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
constexpr auto kRescan = std::chrono::seconds(1);
// File systems stamp in steps of their clock: a file this young may change again without a new stamp.
constexpr std::int64_t kStampStep_ns = 100'000'000;

bool IsGood(const DecodedObject& object) {
  return object.outcome == Outcome::kAccepted || object.outcome == Outcome::kKept;
}

bool IsWithin(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (folder.ends_with('/') || path[folder.size()] == '/');
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
  int fd() const { return watch_ ? watch_->fd() : -1; }
  int TimeoutMs() const;
  bool ConsumeEvents();

 private:
  struct File {
    FileStamp stamp;
    bool settled = false;  // false: read again next time, whatever its stamp
    FileObjects content;
  };
  using Files = std::map<std::string, File>;
  // The good objects of the last load, by name; made when first asked for.
  using GoodObjects = std::unordered_map<std::string, const DecodedObject*>;

  FileList List();
  bool Changed();
  File Read(const ManifestFile& file);
  void KeepRefused(const std::string& path, FileObjects& content);
  void KeepUnnamed(const std::string& path, FileObjects& content);
  const DecodedObject* LastGood(const ObjectKey& key);

  const std::vector<std::string> paths_;
  const ReadSettings settings_;
  std::optional<FolderWatch> watch_;
  Files files_;
  bool unsettled_ = false;            // some file of the last load is not settled
  std::vector<ManifestFile> listed_;  // by the last load
  std::vector<std::string> unreadable_;
  std::optional<GoodObjects> good_;
  std::optional<Clock::time_point> first_event_;
  Clock::time_point last_event_;
  Clock::time_point last_scan_;
};

Manifests ManifestSource::State::Load() {
  first_event_.reset();
  if (watch_) watch_->Drain();
  FileList list = List();
  ClusterBuilder builder;
  builder.AddDiagnostics(list.diagnostics);
  good_.reset();
  Files files;
  std::vector<std::string> order;
  for (const ManifestFile& file : list.files) {
    order.push_back(file.path);
    const auto last = files_.find(file.path);
    const bool unchanged = last != files_.end() && last->second.settled && last->second.stamp == file.stamp;
    if (!unchanged) files[file.path] = Read(file);
  }
  // Only now that nothing looks for its last good version any more does what is unchanged move over.
  for (const ManifestFile& file : list.files) {
    if (!files.contains(file.path)) files.insert(files_.extract(file.path));
  }
  for (const std::string& folder : list.unreadable) {
    for (auto& [path, last] : files_) {
      if (!IsWithin(path, folder) || files.contains(path)) continue;
      File& kept = files[path] = std::move(last);
      kept.settled = false;
      kept.content.diagnostics = {
          {Severity::kNote, path, 0, {}, {}, "its folder cannot be read; what it held stays in force"}};
      order.push_back(path);
    }
  }
  for (const std::string& path : order) {
    const FileObjects& content = files[path].content;
    builder.AddDiagnostics(content.diagnostics);
    for (const DecodedObject& object : content.objects) builder.Add(object, path);
  }
  files_ = std::move(files);
  good_.reset();
  unsettled_ = std::any_of(files_.begin(), files_.end(), [](const auto& file) { return !file.second.settled; });
  listed_ = std::move(list.files);
  unreadable_ = std::move(list.unreadable);
  last_scan_ = Clock::now();
  return std::move(builder).Finish();
}

// A folder that appears between listing and watching could change unseen: listed again until none is new.
FileList ManifestSource::State::List() {
  FileList list = ListManifests(paths_);
  for (int attempt = 0; watch_ && attempt < 10 && watch_->Watch(list.folders); ++attempt) list = ListManifests(paths_);
  return list;
}

ManifestSource::State::File ManifestSource::State::Read(const ManifestFile& file) {
  const std::int64_t now_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  File read{file.stamp, now_ns - std::max(file.stamp.modified_ns, file.stamp.changed_ns) > kStampStep_ns,
            ReadManifest(file.path, settings_)};
  KeepRefused(file.path, read.content);
  if (read.content.broken) KeepUnnamed(file.path, read.content);
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
  return fd() >= 0 ? -1 : Milliseconds(last_scan_ + kRescan - now);
}

bool ManifestSource::State::ConsumeEvents() {
  const Clock::time_point now = Clock::now();
  bool suspected = false;
  if (fd() >= 0) {
    suspected = watch_->Drain();
  } else if (now - last_scan_ >= kRescan) {
    last_scan_ = now;
    suspected = Changed();
  }
  if (suspected) {
    if (!first_event_) first_event_ = now;
    last_event_ = now;
  }
  if (!first_event_ || (now - last_event_ < kSettle && now - *first_event_ < kLongestSettle)) return false;
  first_event_.reset();
  return Changed();
}

// Events tell of neighbours too that are no manifests of ours.
bool ManifestSource::State::Changed() {
  const FileList list = List();
  return unsettled_ || list.files != listed_ || list.unreadable != unreadable_;
}

ManifestSource::ManifestSource(std::vector<std::string> paths, Watching watching, ReadSettings settings)
    : state_(std::make_unique<State>(std::move(paths), watching, settings)) {}

ManifestSource::~ManifestSource() = default;

Manifests ManifestSource::Load() { return state_->Load(); }
int ManifestSource::fd() const { return state_->fd(); }
int ManifestSource::TimeoutMs() const { return state_->TimeoutMs(); }
bool ManifestSource::ConsumeEvents() { return state_->ConsumeEvents(); }

}  // namespace sluice
