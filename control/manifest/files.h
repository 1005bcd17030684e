// Which files the paths of a source lead to, and what one file holds.
#ifndef SLUICE_CONTROL_MANIFEST_FILES_H_
#define SLUICE_CONTROL_MANIFEST_FILES_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "manifest/file_decoder.h"
#include "manifest/folder_watch.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Shows whether a file or folder has changed: equal stamps, equal content.
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

// A folder, a given path or a link, if nobody knows what it holds.
struct UnreadablePath {
  std::string path;
  std::size_t place = 0;  // what it holds would come before files[place]
  bool expected = true;   // it must hold manifests: it was given, is a folder, or has a manifest's name

  friend auto operator<=>(const UnreadablePath&, const UnreadablePath&) = default;
};

struct FileList {
  std::vector<ManifestFile> files;     // in the order of the paths, sorted in each folder; each file once
  std::vector<ManifestFile> others;    // further paths that decide what the list is: folders, and other names of files
  std::vector<WatchedFolder> watched;  // folders in which every change of the list or its files shows
  std::vector<UnreadablePath> unreadable;  // in order
  Diagnostics diagnostics;
};

// The stamp of what the path leads to now; zeros if that is nothing.
FileStamp StampOf(const std::string& path);

FileList ListManifests(const std::vector<std::string>& paths);

FileObjects ReadManifest(const std::string& path, const ReadSettings& settings);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FILES_H_
