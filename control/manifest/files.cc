#include "manifest/files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "manifest/path_trail.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

bool IsManifestName(const fs::path& name) {
  const fs::path extension = name.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

// The name of a manifest, except for capital letters. kubectl skips such files, too.
bool IsCapitalManifestName(const fs::path& name) {
  std::string extension = name.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return !IsManifestName(name) && IsManifestName("x" + extension);
}

FileStamp StampFrom(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, Nanoseconds(status.st_mtim), Nanoseconds(status.st_ctim)};
}

class Lister {
 public:
  void Path(const std::string& path) {
    struct stat status;
    trail_.Follow(path);
    if (stat(path.c_str(), &status) != 0) return Unreadable(path, errno, true);
    if (S_ISDIR(status.st_mode)) {
      const std::size_t seen_before = seen_;
      const std::size_t unreadable_before = list_.unreadable.size();
      Folder(path, status);
      if (seen_ == seen_before && list_.unreadable.size() == unreadable_before) {
        list_.diagnostics.push_back(
            {Severity::kWarning, path, 0, {}, {}, "no .yaml, .yml or .json file in this folder"});
      }
    } else {
      File(path, status);
    }
  }

  FileList Take() && {
    for (const auto& [folder, names] : trail_.names()) list_.watched.push_back({folder, false, names});
    return std::move(list_);
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  void File(const std::string& path, const struct stat& status) {
    ++seen_;
    const bool is_new = files_.insert({status.st_dev, status.st_ino}).second;
    (is_new ? list_.files : list_.others).push_back({path, StampFrom(status)});
  }

  void Folder(const std::string& path, const struct stat& status) {
    list_.others.push_back({path, StampFrom(status)});
    if (!folders_.insert({status.st_dev, status.st_ino}).second) return;  // seen before, by a link, perhaps to itself
    list_.watched.push_back({path, true, {}});
    std::error_code error;
    std::vector<std::pair<std::string, bool>> entries;  // name, and whether it is a link
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code unknown;
      entries.emplace_back(entry->path().filename().string(), entry->is_symlink(unknown));
    }
    if (error) return Unreadable(path, error.value(), true);
    std::sort(entries.begin(), entries.end());
    for (const auto& [name, is_link] : entries) {
      // Hidden files: from editors, version control, and the generations of a mounted ConfigMap.
      if (name.starts_with('.')) continue;
      const std::string child = (fs::path(path) / name).string();
      if (is_link) trail_.Follow(child);
      struct stat child_status;
      if (stat(child.c_str(), &child_status) != 0) {
        if (errno == ENOENT && !is_link) continue;  // removed since the folder was listed
        // The names in the folder can be listed, but the files cannot be read.
        if (errno == EACCES && !is_link) return Unreadable(path, EACCES, true);
        Unreadable(child, errno, IsManifestName(child));
      } else if (S_ISDIR(child_status.st_mode)) {
        Folder(child, child_status);
      } else if (S_ISREG(child_status.st_mode) && IsManifestName(name)) {
        File(child, child_status);
      } else if (S_ISREG(child_status.st_mode) && IsCapitalManifestName(name)) {
        list_.diagnostics.push_back({Severity::kWarning,
                                     child,
                                     0,
                                     {},
                                     {},
                                     "is not read: only names in .yaml, .yml or .json are, in small letters"});
      }
    }
  }

  void Unreadable(const std::string& path, int error, bool expected) {
    list_.unreadable.push_back({path, list_.files.size(), expected});
    list_.others.push_back({path, {}});
    list_.diagnostics.push_back({expected ? Severity::kError : Severity::kWarning,
                                 path,
                                 0,
                                 {},
                                 {},
                                 "cannot be read: " + std::generic_category().message(error)});
  }

  FileList list_;
  PathTrail trail_;
  std::size_t seen_ = 0;  // manifests, also those that an earlier path named
  std::set<Identity> files_;
  std::set<Identity> folders_;
};

// YAML includes all of JSON, but simdjson reads it 30 times as fast. So if the name of a file does not tell,
// its first character does.
bool IsJson(const std::string& path, std::istream& in) {
  const fs::path extension = fs::path(path).extension();
  if (extension == ".yaml" || extension == ".yml") return false;
  return extension == ".json" || (in >> std::ws).peek() == '{';
}

}  // namespace

FileList ListManifests(const std::vector<std::string>& paths) {
  Lister lister;
  for (const std::string& path : paths) lister.Path(path);
  return std::move(lister).Take();
}

FileStamp StampOf(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 ? StampFrom(status) : FileStamp{};
}

FileObjects ReadManifest(const std::string& path, const ReadSettings& settings) {
  FileDecoder decoder(path, settings.keep_lines);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in.is_open()) {
    decoder.Broken(0, "cannot be read: " + std::generic_category().message(errno));
  } else if (IsJson(path, in)) {
    ReadJson(in, decoder, settings);
  } else {
    ReadYaml(in, decoder, settings);
  }
  if (in.bad()) decoder.Broken(0, "cannot be read to its end");
  return std::move(decoder).Take();
}

}  // namespace sluice
