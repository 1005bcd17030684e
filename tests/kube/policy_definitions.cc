#include "kube/policy_definitions.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

namespace sluice {
namespace {

using nlohmann::json;

constexpr char kDefinitions[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

// metav1.Conditions, as the markers of upstream's types make them.
json StatusSchema() {
  const json text = {{"type", "string"}};
  const json condition = {{"type", "object"},
                          {"required", {"lastTransitionTime", "message", "reason", "status", "type"}},
                          {"properties",
                           {{"type", text},
                            {"status", {{"type", "string"}, {"enum", {"True", "False", "Unknown"}}}},
                            {"reason", {{"type", "string"}, {"minLength", 1}, {"maxLength", 1024}}},
                            {"message", {{"type", "string"}, {"maxLength", 32768}}},
                            {"lastTransitionTime", {{"type", "string"}, {"format", "date-time"}}},
                            {"observedGeneration", {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}}}}}};
  return {{"type", "object"},
          {"required", {"conditions"}},
          {"properties",
           {{"conditions",
             {{"type", "array"},
              {"items", condition},
              {"x-kubernetes-list-type", "map"},
              {"x-kubernetes-list-map-keys", {"type"}}}}}}};
}

}  // namespace

PolicyDefinitions::~PolicyDefinitions() {
  for (const std::string& plural : defined_) Remove(plural);
  if (defined_.empty()) return;
  constexpr long kNotFound = 404;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (cluster_.Get(std::string("/apis/") + kGroup).status != kNotFound) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "the definitions do not go";
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void PolicyDefinitions::Define(const std::string& plural, const std::string& kind,
                               const std::vector<std::string>& versions, bool has_status) {
  json definition = {
      {"apiVersion", "apiextensions.k8s.io/v1"},
      {"kind", "CustomResourceDefinition"},
      {"metadata",
       {{"name", plural + '.' + kGroup}, {"annotations", {{"api-approved.kubernetes.io", "unapproved, of a test"}}}}},
      {"spec",
       {{"group", kGroup},
        {"scope", "Cluster"},
        {"names", {{"plural", plural}, {"kind", kind}}},
        {"versions", json::array()}}}};
  for (const std::string& version : versions) {
    const json open = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    json schema = {{"type", "object"}, {"properties", {{"spec", open}, {"status", StatusSchema()}}}};
    json each = {{"name", version},
                 {"served", true},
                 {"storage", version == versions.back()},
                 {"schema", {{"openAPIV3Schema", std::move(schema)}}}};
    if (has_status) each["subresources"] = {{"status", json::object()}};
    definition["spec"]["versions"].push_back(std::move(each));
  }
  const HttpAnswer answer = cluster_.Post(kDefinitions, definition.dump());
  ASSERT_EQ(answer.status, 201) << answer.body;
  defined_.push_back(plural);
}

void PolicyDefinitions::Remove(const std::string& plural) const {
  cluster_.Delete(std::string(kDefinitions) + '/' + plural + '.' + kGroup);
}

std::string PolicyDefinitions::PathOf(const std::string& version, const std::string& plural) {
  return std::string("/apis/") + kGroup + '/' + version + '/' + plural;
}

}  // namespace sluice
