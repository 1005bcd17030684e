// Reads manifests from files and folders, once. manifest/source.h reads them again and watches them.
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

// The place of an object that is in the cluster.
struct ObjectPlace {
  std::string file;
  std::uint32_t line = 0;
  std::shared_ptr<const FieldLines> lines;  // never null
  std::string object = {};                  // if another object is there: which (lint/promoted.h)
};

struct Manifests {
  Cluster cluster;          // all accepted objects, and the stand-ins for refused ones (NP-16)
  Diagnostics diagnostics;  // in the order of files and lines
  // Files and folders with a part that cannot be read and has no earlier version in `cluster`: nobody knows which pods
  // that part was meant to bind. Errors among the diagnostics say why. Each path once, in order.
  std::vector<std::string> unread;
  // By ObjectKey::ToString ("NetworkPolicy shop/web"); empty unless ReadSettings::keep_lines.
  std::unordered_map<std::string, ObjectPlace> places;
};

// Reads each path: a file, or a folder with all its .yaml, .yml and .json files (except names that begin with a dot).
// The order is that of the paths, and in a folder that of `kubectl apply -R -f FOLDER`: by name, byte by byte, a
// subfolder's files in its place. If an object is in two places, the later counts (ClusterBuilder). A file may hold
// many documents and Lists; it is read as JSON if its name ends in .json. Makes up namespaces that a Pod or
// NetworkPolicy names and no manifest declares (NP-33). Never throws: what cannot be read or decoded becomes an error
// in the diagnostics, and the rest is read. Blocks on the file system.
Manifests ReadManifests(const std::vector<std::string>& paths, const ReadSettings& settings = {});

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_MANIFEST_READER_H_
