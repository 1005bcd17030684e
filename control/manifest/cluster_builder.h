// Puts the objects of all files together.
#ifndef SLUICE_CONTROL_MANIFEST_CLUSTER_BUILDER_H_
#define SLUICE_CONTROL_MANIFEST_CLUSTER_BUILDER_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "manifest/manifest_reader.h"
#include "model/decode.h"

namespace sluice {

class ClusterBuilder {
 public:
  // Objects must come in the order of files and lines. If an object comes again, the later place counts, as if each
  // were applied in turn. A note, or an error if the two differ, says where the other is. A refused object does not
  // count if another one is not refused: the API server would not have taken the refused one either.
  void Add(DecodedObject object, const std::string& file);
  void AddDiagnostics(const Diagnostics& diagnostics);
  // Notes that nobody knows what this file or folder holds, as a whole or in part.
  void AddUnread(const std::string& path) { result_.unread.push_back(path); }
  // Makes up the namespaces that are used but not declared (NP-33).
  Manifests Finish() &&;

 private:
  struct Place {
    const std::string* file;
    std::uint32_t line;
    DecodedObject::Outcome outcome;
    std::size_t index;  // in the cluster's list of its kind
  };

  template <typename Object>
  void Put(Object object, const DecodedObject& decoded, const std::string& file);
  template <typename Object>
  void PutUnnamed(Object object);

  Manifests result_;
  std::unordered_map<std::string, Place> places_;  // by ObjectKey::ToString
  std::unordered_set<std::string> files_;          // file names that places refer to
  std::size_t unnamed_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_CLUSTER_BUILDER_H_
