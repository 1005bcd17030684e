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

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

bool IsManifestName(const fs::path& name) {
  const fs::path extension = name.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

class Lister {
 public:
  void Path(const std::string& path) {
    struct stat status;
    // Whatever replaces the path itself shows in the folder that holds it.
    const fs::path parent = fs::path(path).parent_path();
    list_.folders.push_back(parent.empty() ? "." : parent.string());
    if (stat(path.c_str(), &status) != 0) {
      list_.unreadable.push_back(path);
      return Error(path, errno);
    }
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
    std::sort(list_.folders.begin(), list_.folders.end());
    list_.folders.erase(std::unique(list_.folders.begin(), list_.folders.end()), list_.folders.end());
    return std::move(list_);
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  void File(const std::string& path, const struct stat& status) {
    ++seen_;
    if (!files_.insert({status.st_dev, status.st_ino}).second) return;
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      const fs::path target = fs::canonical(path, error);
      if (!error) list_.folders.push_back(target.parent_path().string());
    }
    list_.files.push_back(
        {path,
         {status.st_dev, status.st_ino, status.st_size, Nanoseconds(status.st_mtim), Nanoseconds(status.st_ctim)}});
  }

  void Folder(const std::string& path, const struct stat& status) {
    if (!folders_.insert({status.st_dev, status.st_ino}).second) return;  // by a link, perhaps to itself
    list_.folders.push_back(path);
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) {
      list_.unreadable.push_back(path);
      return Error(path, error.value());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      // Hidden: editors' files, version control, and the generations of a mounted ConfigMap.
      if (name.starts_with('.')) continue;
      const std::string child = (fs::path(path) / name).string();
      struct stat child_status;
      if (stat(child.c_str(), &child_status) != 0) {
        ChildError(path, child, errno);
      } else if (S_ISDIR(child_status.st_mode)) {
        Folder(child, child_status);
      } else if (S_ISREG(child_status.st_mode) && IsManifestName(name)) {
        File(child, child_status);
      }
    }
  }

  void ChildError(const std::string& folder, const std::string& child, int error) {
    std::error_code ignored;
    if (error == ENOENT && !fs::is_symlink(child, ignored)) return;  // removed since the folder was listed
    if (error != ENOENT) list_.unreadable.push_back(folder);
    if (IsManifestName(child)) Error(child, error);
  }

  void Error(const std::string& path, int error) {
    list_.diagnostics.push_back(
        {Severity::kError, path, 0, {}, {}, "cannot be read: " + std::generic_category().message(error)});
  }

  FileList list_;
  std::size_t seen_ = 0;  // manifests, those that an earlier path named too included
  std::set<Identity> files_;
  std::set<Identity> folders_;
};

// YAML holds all of JSON, but simdjson reads it 30 times as fast: a file whose name says nothing goes by its first
// character.
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

FileObjects ReadManifest(const std::string& path, const ReadSettings& settings) {
  FileDecoder decoder(path);
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
