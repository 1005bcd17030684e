// Who may do what on a real API server: ways to prove who one is, rotation, and the role in deploy/rbac.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kube/kube_source.h"
#include "kube/kubeconfig.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

bool Syncs(const KubeAccess& access, RecordingSink& sink) {
  KubeSource source(access, TestOptions(), sink);
  return PollUntil(
      source, [&] { return source.synced(); }, std::chrono::seconds(10));
}

std::string ReadAll(const std::string& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Applies deploy/rbac.yaml once, and returns a fresh token of its service account.
std::string ServiceAccountToken() {
  TestCluster& cluster = SharedCluster();
  static const bool applied = [&cluster] {
    const std::string manifest = ReadAll(SLUICE_SOURCE_DIR "/deploy/rbac.yaml");
    for (std::size_t at = 0; at < manifest.size();) {
      const std::size_t end = std::min(manifest.find("\n---\n", at), manifest.size());
      const std::string document = manifest.substr(at, end - at);
      at = end + 5;
      std::string path = "/api/v1/namespaces";
      if (document.find("kind: ServiceAccount\n") < document.find("metadata:"))
        path += "/sluice-system/serviceaccounts";
      if (document.find("kind: ClusterRole\n") != document.npos)
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
      if (document.find("kind: ClusterRoleBinding\n") != document.npos) {
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
      }
      const HttpAnswer answer = cluster.Post(path, document);
      EXPECT_EQ(answer.status, 201) << path << ' ' << answer.body;
    }
    return true;
  }();
  EXPECT_TRUE(applied);
  const HttpAnswer answer =
      cluster.Post("/api/v1/namespaces/sluice-system/serviceaccounts/sluice-sync/token", R"({"spec":{}})");
  EXPECT_EQ(answer.status, 201) << answer.body;
  return json::parse(answer.body)["status"]["token"];
}

TEST(Access, TheRoleInDeployIsEnough) {
  RecordingSink sink;
  KubeSource source(SharedCluster().WithToken(ServiceAccountToken()), TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  source.PostEvent({Resource::kNodes, "", "node-1", "", ""}, "Refused", "a test");
  ASSERT_TRUE(PollUntil(source, [&] { return source.event_health().posted == 1; }));
  EXPECT_THAT(sink.troubles, IsEmpty());
}

TEST(Access, TheRoleInDeployAllowsNothingElse) {
  ServiceAccountToken();
  const json role =
      json::parse(SharedCluster().Get("/apis/rbac.authorization.k8s.io/v1/clusterroles/sluice-sync").body);
  std::vector<std::string> allowed;
  for (const json& rule : role["rules"]) {
    for (const json& resource : rule["resources"]) {
      for (const json& verb : rule["verbs"])
        allowed.push_back(verb.get<std::string>() + ' ' + resource.get<std::string>());
    }
    EXPECT_FALSE(rule.contains("nonResourceURLs"));
  }
  std::vector<std::string> wanted = {"create events"};
  for (const Resource resource : kResources) {
    for (const char* verb : {"get ", "list ", "watch "}) wanted.push_back(verb + std::string(InfoOf(resource).name));
  }
  EXPECT_THAT(allowed, testing::UnorderedElementsAreArray(wanted));
}

TEST(Access, OfAUserWithoutTheRoleSaysWhatToBind) {
  RecordingSink sink;
  KubeSource source(SharedCluster().WithToken("of-nobody"), TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return sink.troubles.size() >= kResourceCount; }));
  EXPECT_FALSE(source.synced());
  EXPECT_THAT(sink.troubles, Contains(HasSubstr("deploy/rbac.yaml")));
  EXPECT_THAT(sink.troubles, Contains(HasSubstr("\"pods\"")));
}

TEST(Access, ByARotatedTokenFileGoesOn) {
  const std::string file = SharedCluster().folder() / "token";
  WriteFile(file, "long-expired");
  KubeAccess access = SharedCluster().WithToken("");
  access.user.token_file = file;
  RecordingSink sink;
  KubeSource source(access, TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink.troubles.empty(); }));
  EXPECT_THAT(sink.troubles[0], HasSubstr("401"));
  WriteFile(file, ServiceAccountToken());
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
}

TEST(Access, ByAnExecPluginIsAskedAgainWhenRefused) {
  const std::string folder = SharedCluster().folder().path();
  WriteFile(folder + "/answer", "long-expired");
  // The plugin prints whatever token the file holds just now.
  WriteFile(folder + "/plugin.sh",
            "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
            "\"status\":{\"token\":\"%s\"}}' \"$(cat \"$ANSWER\")\"\n");
  WriteFile(folder + "/exec.yaml",
            "apiVersion: v1\nkind: Config\ncurrent-context: exec\n"
            "contexts: [{name: exec, context: {cluster: here, user: plugged}}]\n"
            "clusters: [{name: here, cluster: {server: " +
                SharedCluster().url() +
                ", certificate-authority: ca.crt}}]\n"
                "users:\n- name: plugged\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n"
                "      command: sh\n      args: [" +
                folder +
                "/plugin.sh]\n      interactiveMode: Never\n"
                "      env: [{name: ANSWER, value: " +
                folder + "/answer}]\n");
  Diagnostics diagnostics;
  const auto access = ReadKubeConfig({folder + "/exec.yaml"}, "", diagnostics);
  ASSERT_TRUE(access) << diagnostics[0].ToString();
  RecordingSink sink;
  KubeSource source(*access, TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink.troubles.empty(); }));
  WriteFile(folder + "/answer", ServiceAccountToken());
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
}

TEST(Access, ByAClientCertificateWorks) {
  KubeAccess access = SharedCluster().WithToken("");
  access.user.certificate.file = SharedCluster().admin_certificate_file();
  access.user.key.file = SharedCluster().admin_key_file();
  RecordingSink sink;
  EXPECT_TRUE(Syncs(access, sink)) << (sink.troubles.empty() ? "" : sink.troubles[0]);
}

TEST(Access, ToAServerOfAnotherAuthorityIsRefusedHere) {
  KubeAccess access = SharedCluster().Admin();
  access.server.ca.file = SharedCluster().admin_certificate_file();
  RecordingSink sink;
  KubeSource source(access, TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink.troubles.empty(); }));
  EXPECT_THAT(sink.troubles[0], HasSubstr("certificate"));
  EXPECT_FALSE(source.synced());
}

TEST(Access, BySkipTlsVerifyTrustsAnyServer) {
  KubeAccess access = SharedCluster().Admin();
  access.server.ca = {};
  access.server.skip_tls_verify = true;
  RecordingSink sink;
  EXPECT_TRUE(Syncs(access, sink));
}

TEST(Access, ByTlsServerNameChecksTheCertificateAgainstIt) {
  KubeAccess access = SharedCluster().Admin();
  // The certificate names 127.0.0.1 and kube.test, not localhost.
  access.server.url.replace(access.server.url.find("127.0.0.1"), 9, "localhost");
  RecordingSink unnamed;
  KubeSource source(access, TestOptions(), unnamed);
  ASSERT_TRUE(PollUntil(source, [&] { return !unnamed.troubles.empty(); }));
  access.server.tls_server_name = "kube.test";
  RecordingSink named;
  EXPECT_TRUE(Syncs(access, named)) << (named.troubles.empty() ? "" : named.troubles[0]);
}

}  // namespace
}  // namespace sluice
