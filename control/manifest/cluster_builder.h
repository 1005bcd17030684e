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
  // Objects come in the order of files and lines. Of one that is there already, the later place counts, as if each were
  // applied in turn; a note says where the other is, or an error, if the two differ. One that is refused does not count
  // where another is not refused: neither would the API server have taken it.
  void Add(DecodedObject object, const std::string& file);
  void AddDiagnostics(const Diagnostics& diagnostics);
  // Of this file or folder it is not known, in whole or in part, what it holds.
  void AddUnread(const std::string& path) { result_.unread.push_back(path); }
  // Makes up the namespaces that are named but not declared (NP-33).
  Manifests Finish() &&;

 private:
  struct Place {
    const std::string* file;
    std::uint32_t line;
    DecodedObject::Outcome outcome;
    std::size_t index;  // among its kind's, in the cluster
  };

  template <typename Object>
  void Put(Object object, const DecodedObject& decoded, const std::string& file);
  template <typename Object>
  void PutUnnamed(Object object);

  Manifests result_;
  std::unordered_map<std::string, Place> places_;  // by ObjectKey::ToString
  std::unordered_set<std::string> files_;          // names that places refer to
  std::size_t unnamed_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_CLUSTER_BUILDER_H_
