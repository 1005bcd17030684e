// Reads manifests from files and folders, once. For a source that is read again and watched: manifest/source.h.
#ifndef SLUICE_CONTROL_MANIFEST_MANIFEST_READER_H_
#define SLUICE_CONTROL_MANIFEST_MANIFEST_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "manifest/field_lines.h"
#include "manifest/read_settings.h"
#include "model/objects.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Where an object stands that is in the cluster.
struct ObjectPlace {
  std::string file;
  std::uint32_t line = 0;
  std::shared_ptr<const FieldLines> lines;  // never null
  std::string object = {};                  // what stands there, where it is another (lint/promoted.h)
};

struct Manifests {
  Cluster cluster;          // every object that was accepted, and what stands for those refused (NP-16)
  Diagnostics diagnostics;  // in the order of files and lines
  // Files and folders that hold something which cannot be read, and of which no earlier version is in `cluster`: which
  // pods they were meant to bind is not known. Errors among the diagnostics say why. Each path once, in order.
  std::vector<std::string> unread;
  // By ObjectKey::ToString ("NetworkPolicy shop/web"); empty unless ReadSettings::keep_lines.
  std::unordered_map<std::string, ObjectPlace> places;
};

// Reads each path: a file, or a folder with all its .yaml, .yml and .json files (names that begin with a dot left out).
// The order is that of the paths and within a folder that of `kubectl apply -R -f FOLDER`: by name, byte by byte, a
// subfolder's files in its place; of an object in two places the later counts (ClusterBuilder). A file may hold many
// documents and Lists; JSON is read where the name ends in .json. Namespaces that a Pod or NetworkPolicy names and no
// manifest declares are made up (NP-33). Never throws: whatever cannot be read or decoded is an error among the
// diagnostics, and the rest is read. Blocks on the file system.
Manifests ReadManifests(const std::vector<std::string>& paths, const ReadSettings& settings = {});

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_MANIFEST_READER_H_
