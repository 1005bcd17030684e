// Ways to prove an identity to a real API server, rotation, and what is said where that fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/deploy_manifests.h"
#include "kube/kube_source.h"
#include "kube/kubeconfig.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using testing::Contains;
using testing::HasSubstr;

bool Syncs(const KubeAccess& access, RecordingSink& sink) {
  KubeSource source(access, TestOptions(), sink);
  return PollUntil(
      source, [&] { return source.synced(); }, std::chrono::seconds(10));
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
  WriteFile(file, ServiceAccountToken(SharedCluster()));
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
  WriteFile(folder + "/answer", ServiceAccountToken(SharedCluster()));
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
}

TEST(Access, ByAClientCertificateWorks) {
  ServiceAccountToken(SharedCluster());  // applies the role
  KubeAccess access = SharedCluster().WithToken("");
  access.user.certificate.file = SharedCluster().sync_certificate_file();
  access.user.key.file = SharedCluster().sync_key_file();
  RecordingSink sink;
  EXPECT_TRUE(Syncs(access, sink)) << (sink.troubles.empty() ? "" : sink.troubles[0]);
}

TEST(Access, ToAServerOfAnotherAuthorityIsRefusedHere) {
  KubeAccess access = SharedCluster().Admin();
  access.server.ca.file = SharedCluster().sync_certificate_file();
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
