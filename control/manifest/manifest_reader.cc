#include "manifest/manifest_reader.h"

#include <utility>

#include "manifest/cluster_builder.h"
#include "manifest/files.h"

namespace sluice {

Manifests ReadManifests(const std::vector<std::string>& paths, const ReadSettings& settings) {
  ClusterBuilder builder;
  const FileList list = ListManifests(paths);
  builder.AddDiagnostics(list.diagnostics);
  for (const UnreadablePath& unreadable : list.unreadable) {
    if (unreadable.expected) builder.AddUnread(unreadable.path);
  }
  for (const ManifestFile& file : list.files) {
    FileObjects read = ReadManifest(file.path, settings);
    builder.AddDiagnostics(read.diagnostics);
    if (read.unread || read.HoldsUnclear()) builder.AddUnread(file.path);
    for (DecodedObject& object : read.objects) builder.Add(std::move(object), file.path);
  }
  return std::move(builder).Finish();
}

}  // namespace sluice
