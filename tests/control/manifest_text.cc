#include "manifest_text.h"

#include <gtest/gtest.h>

#include <sstream>
#include <utility>

#include "manifest/cluster_builder.h"
#include "manifest/file_decoder.h"

namespace sluice {
namespace {

using Reader = void (*)(std::istream&, FileDecoder&, const ReadSettings&);

Manifests Read(const std::string& text, const std::string& name, Reader read, const ReadSettings& settings) {
  std::istringstream in(text);
  FileDecoder decoder(name);
  read(in, decoder, settings);
  FileObjects file = std::move(decoder).Take();
  ClusterBuilder builder;
  builder.AddDiagnostics(file.diagnostics);
  if (file.unread || file.HoldsUnclear()) builder.AddUnread(name);
  for (DecodedObject& object : file.objects) builder.Add(std::move(object), name);
  return std::move(builder).Finish();
}

std::vector<std::string> Stripped(const Diagnostics& diagnostics, const std::string& prefix) {
  std::vector<std::string> texts = Texts(diagnostics);
  for (std::string& text : texts) {
    EXPECT_TRUE(text.starts_with(prefix)) << text;
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  }
  return texts;
}

}  // namespace

Manifests FromYaml(const std::string& text, const ReadSettings& settings) {
  return Read(text, "m.yaml", ReadYaml, settings);
}
Manifests FromJson(const std::string& text, const ReadSettings& settings) {
  return Read(text, "m.json", ReadJson, settings);
}

std::vector<std::string> Texts(const Diagnostics& diagnostics) {
  std::vector<std::string> texts;
  for (const Diagnostic& diagnostic : diagnostics) texts.push_back(diagnostic.ToString());
  return texts;
}

std::string PodText(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + "\"}}\n";
}

std::string PolicyWithSpec(std::string_view spec) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p"},"spec":)" +
         std::string(spec) + "}\n";
}

NetworkPolicy AcceptedPolicy(std::string_view spec) {
  const Manifests read = FromYaml(PolicyWithSpec(spec));
  EXPECT_EQ(Texts(read.diagnostics), std::vector<std::string>{}) << spec;
  if (read.cluster.policies.size() != 1) {
    ADD_FAILURE() << "no policy of " << spec;
    return {};
  }
  return read.cluster.policies[0];
}

Refused RefusedPolicyOf(std::string_view spec) {
  const Manifests yaml = FromYaml(PolicyWithSpec(spec));
  const Manifests json = FromJson(PolicyWithSpec(spec));
  Refused refused{Stripped(yaml.diagnostics, "m.yaml:1: error: NetworkPolicy default/p: "), yaml.cluster};
  EXPECT_EQ(Stripped(json.diagnostics, "m.json:1: error: NetworkPolicy default/p: "), refused.errors) << spec;
  EXPECT_FALSE(refused.errors.empty()) << "accepted: " << spec;
  for (const NetworkPolicy& policy : refused.cluster.policies) EXPECT_TRUE(policy.refused) << spec;
  return refused;
}

}  // namespace sluice
