#include "kube/deploy_manifests.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "support/places.h"

namespace sluice {
namespace {

constexpr long kCreated = 201;
constexpr long kConflict = 409;

DeployManifest Read(std::string text) {
  const YAML::Node root = YAML::Load(text);
  DeployManifest manifest;
  manifest.kind = root["kind"].as<std::string>();
  manifest.name = root["metadata"]["name"].as<std::string>();
  const auto version = root["apiVersion"].as<std::string>();
  manifest.collection = (version.find('/') == std::string::npos ? "/api/" : "/apis/") + version;
  if (const YAML::Node space = root["metadata"]["namespace"]) {
    manifest.collection += "/namespaces/" + space.as<std::string>();
  }
  std::string plural = manifest.kind + 's';
  std::transform(plural.begin(), plural.end(), plural.begin(), [](unsigned char c) { return std::tolower(c); });
  manifest.collection += '/' + plural;
  manifest.text = std::move(text);
  return manifest;
}

}  // namespace

std::vector<DeployManifest> ReadDeployManifests(const std::string& file) {
  std::ostringstream content;
  content << std::ifstream(SourcePath("deploy/" + file)).rdbuf();
  const std::string all = content.str();
  std::vector<DeployManifest> manifests;
  constexpr std::string_view kSeparator = "\n---\n";
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find(kSeparator, at), all.size());
    manifests.push_back(Read(all.substr(at, end - at)));
    at = end + kSeparator.size();
  }
  return manifests;
}

std::string ConfigMapText(const DeployManifest& manifest, const std::string& key) {
  return YAML::Load(manifest.text)["data"][key].as<std::string>();
}

std::string ServiceAccountToken(const TestCluster& cluster) {
  for (const DeployManifest& manifest : ReadDeployManifests("rbac.yaml")) {
    const HttpAnswer answer = cluster.Post(manifest.collection + "?fieldValidation=Strict", manifest.text);
    EXPECT_TRUE(answer.status == kCreated || answer.status == kConflict) << manifest.kind << ' ' << answer.body;
  }
  const HttpAnswer answer = cluster.Post("/api/v1/namespaces/sluice-system/serviceaccounts/sluice-sync/token",
                                         R"({"spec":{"expirationSeconds":86400}})");
  EXPECT_EQ(answer.status, kCreated) << answer.body;
  return nlohmann::json::parse(answer.body)["status"]["token"];
}

}  // namespace sluice
