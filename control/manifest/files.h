// Which files the paths of a source name, and what one file holds.
#ifndef SLUICE_CONTROL_MANIFEST_FILES_H_
#define SLUICE_CONTROL_MANIFEST_FILES_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "manifest/file_decoder.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Tells a file from what it was: equal stamps, equal content.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;

  friend auto operator<=>(const FileStamp&, const FileStamp&) = default;
};

struct ManifestFile {
  std::string path;
  FileStamp stamp;

  friend auto operator<=>(const ManifestFile&, const ManifestFile&) = default;
};

struct FileList {
  std::vector<ManifestFile> files;      // in the order of the paths, each folder's sorted; each file once
  std::vector<std::string> folders;     // whose content decides what the list and its files hold
  std::vector<std::string> unreadable;  // folders, and given paths, of which it is not known what they hold
  Diagnostics diagnostics;
};

FileList ListManifests(const std::vector<std::string>& paths);

FileObjects ReadManifest(const std::string& path, const ReadSettings& settings);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FILES_H_
