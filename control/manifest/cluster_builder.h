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
  // An object that is there already is an error that names both places; the first one stays.
  void Add(DecodedObject object, const std::string& file);
  void AddDiagnostics(const Diagnostics& diagnostics);
  // Makes up the namespaces that are named but not declared (NP-33).
  Manifests Finish() &&;

 private:
  struct Place {
    const std::string* file;
    std::uint32_t line;
  };

  Manifests result_;
  std::unordered_map<std::string, Place> places_;  // by ObjectKey::ToString
  std::unordered_set<std::string> files_;          // names that places refer to
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_CLUSTER_BUILDER_H_
