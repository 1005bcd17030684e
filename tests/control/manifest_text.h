// Manifests from text, for tests.
#ifndef SLUICE_TESTS_CONTROL_MANIFEST_TEXT_H_
#define SLUICE_TESTS_CONTROL_MANIFEST_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "manifest/manifest_reader.h"

namespace sluice {

// As if the text were a file "m.yaml" ("m.json").
Manifests FromYaml(const std::string& text, const ReadSettings& settings = {});
Manifests FromJson(const std::string& text, const ReadSettings& settings = {});
// Diagnostic::ToString of each.
std::vector<std::string> Texts(const Diagnostics& diagnostics);

// A Pod of this name as JSON, which YAML reads too. A line.
std::string PodText(const std::string& name);
// A NetworkPolicy default/p with this spec, in YAML's flow style, which is JSON where the spec is. All in line 1.
std::string PolicyWithSpec(std::string_view spec);
// Reads it from YAML. Requires that it is accepted.
NetworkPolicy AcceptedPolicy(std::string_view spec);
// Reads it from YAML and from JSON: the errors must be the same. Each without "m.yaml:1: error: NetworkPolicy
// default/p: ", and the stand-in in `cluster`.
struct Refused {
  std::vector<std::string> errors;
  Cluster cluster;
};
Refused RefusedPolicyOf(std::string_view spec);

}  // namespace sluice

#endif  // SLUICE_TESTS_CONTROL_MANIFEST_TEXT_H_
