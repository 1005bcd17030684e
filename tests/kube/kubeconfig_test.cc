#include "kube/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "kube/process.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
// kPem in base64.
constexpr char kEncodedPem[] = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQ==";

constexpr char kTwoContexts[] = R"(
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: one
  cluster:
    server: https://10.0.0.1:6443/
    certificate-authority: pki/ca.crt
    tls-server-name: api.example
    proxy-url: socks5://127.0.0.1:1080
- name: two
  cluster: {server: "https://[fd00::1]:6443", insecure-skip-tls-verify: true}
users:
- name: operator
  user: {token: secret}
- name: rotated
  user: {tokenFile: token}
contexts:
- name: prod
  context: {cluster: one, user: operator, namespace: shop}
- name: test
  context: {cluster: two, user: rotated}
)";

class KubeConfig : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(RunCommand({"/bin/mkdir", folder_ / "pki"}), 0);
    WriteFile(folder_ / "pki/ca.crt", kPem);
    for (const char* name : {"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}) unsetenv(name);
    setenv("HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override { unsetenv("KUBECONFIG"); }

  std::string File(const std::string& name, const std::string& text) {
    WriteFile(folder_ / name, text);
    return folder_ / name;
  }
  std::optional<KubeAccess> Read(const std::string& text, const std::string& context = "") {
    return ReadKubeConfig({File("config", text)}, context, diagnostics_);
  }
  // The first error.
  std::string Error() const { return diagnostics_.empty() ? "none" : diagnostics_[0].ToString(); }

  TempFolder folder_;
  Diagnostics diagnostics_;
};

TEST_F(KubeConfig, CurrentContextIsTakenAndPathsAreRelativeToTheFile) {
  const auto access = Read(kTwoContexts);
  ASSERT_TRUE(access) << Error();
  EXPECT_EQ(access->server.url, "https://10.0.0.1:6443");
  EXPECT_EQ(access->server.ca.file, folder_ / "pki/ca.crt");
  EXPECT_EQ(access->server.tls_server_name, "api.example");
  EXPECT_EQ(access->server.proxy_url, "socks5://127.0.0.1:1080");
  EXPECT_FALSE(access->server.skip_tls_verify);
  EXPECT_EQ(access->user.token, "secret");
  EXPECT_EQ(access->namespace_name, "shop");
  EXPECT_THAT(access->origin, AllOf(HasSubstr("context prod"), HasSubstr(folder_ / "config")));
}

TEST_F(KubeConfig, NamedContextIsTaken) {
  const auto access = Read(kTwoContexts, "test");
  ASSERT_TRUE(access) << Error();
  EXPECT_EQ(access->server.url, "https://[fd00::1]:6443");
  EXPECT_TRUE(access->server.skip_tls_verify);
  EXPECT_EQ(access->user.token_file, folder_ / "token");
  EXPECT_EQ(access->namespace_name, "default");
}

TEST_F(KubeConfig, UnknownContextNamesThoseThatThereAre) {
  EXPECT_FALSE(Read(kTwoContexts, "staging"));
  EXPECT_THAT(Error(), AllOf(HasSubstr(folder_ / "config"), HasSubstr("\"staging\""), HasSubstr("prod, test")));
}

TEST_F(KubeConfig, DataInBase64IsDecodedAndWinsOverAFile) {
  const std::string pem = kEncodedPem;
  const auto access = Read(
      "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
      "clusters: [{name: k, cluster: {server: https://a, certificate-authority: missing, "
      "certificate-authority-data: " +
      pem +
      "}}]\n"
      "users: [{name: u, user: {client-certificate-data: " +
      pem + ", client-key-data: " + pem + "}}]\n");
  ASSERT_TRUE(access) << Error();
  EXPECT_EQ(access->server.ca.data, kPem);
  EXPECT_EQ(access->user.certificate.data, kPem);
  EXPECT_EQ(access->user.key.data, kPem);
}

struct BadField {
  const char* cluster;
  const char* user;
  const char* said;
};

class BadKubeConfig : public KubeConfig, public testing::WithParamInterface<BadField> {};

TEST_P(BadKubeConfig, NamesFileObjectFieldAndRemedy) {
  const auto access = Read(
      "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
      "clusters: [{name: k, cluster: " +
      std::string(GetParam().cluster) +
      "}]\n"
      "users: [{name: u, user: " +
      std::string(GetParam().user) + "}]\n");
  EXPECT_FALSE(access);
  ASSERT_THAT(diagnostics_, SizeIs(1));
  EXPECT_THAT(Error(), AllOf(HasSubstr(folder_ / "config"), HasSubstr(GetParam().said)));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadKubeConfig,
    testing::Values(
        BadField{"{}", "{}", "cluster k: server: must be the API server's URL"},
        BadField{"{server: 10.0.0.1}", "{}", "cluster k: server: must be the API server's URL"},
        BadField{"{server: https://a, certificate-authority: nowhere.crt}", "{}",
                 "cluster k: certificate-authority: cannot be read"},
        BadField{"{server: https://a, certificate-authority-data: '!!'}", "{}",
                 "cluster k: certificate-authority-data: must be base64 of PEM"},
        BadField{"{server: https://a, certificate-authority: pki/ca.crt, insecure-skip-tls-verify: true}", "{}",
                 "cluster k: insecure-skip-tls-verify: excludes certificate-authority"},
        BadField{"{server: https://a, insecure-skip-tls-verify: perhaps}", "{}", "must be true or false"},
        BadField{"{server: https://a}", "{client-certificate: pki/ca.crt}", "user u: client-key: is required"},
        BadField{"{server: https://a}", "{auth-provider: {name: gcp}}", "user u: auth-provider: is no longer part"},
        BadField{"{server: https://a}", "{exec: {apiVersion: client.authentication.k8s.io/v1}}",
                 "user u: exec.command: is required"},
        BadField{"{server: https://a}", "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}",
                 "user u: exec.apiVersion: must be client.authentication.k8s.io/v1 or /v1beta1"},
        BadField{"{server: https://a}",
                 "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}}",
                 "user u: exec.interactiveMode: is Always, but there is no terminal"},
        BadField{"{server: https://a}", "{token: [1]}", "user u: token: must be text"}));

TEST_F(KubeConfig, ContextOfAMissingUserNamesThoseThatThereAre) {
  EXPECT_FALSE(
      Read("current-context: c\ncontexts: [{name: c, context: {cluster: k, user: v}}]\n"
           "clusters: [{name: k, cluster: {server: https://a}}]\nusers: [{name: u, user: {}}]\n"));
  EXPECT_THAT(Error(), HasSubstr("context c: user: names \"v\", which is not there; there are: u"));
}

TEST_F(KubeConfig, BrokenYamlNamesTheLine) {
  EXPECT_FALSE(Read("clusters:\n- name: [\n"));
  EXPECT_THAT(Error(), HasSubstr(folder_ / "config:2"));
}

TEST_F(KubeConfig, FilesOfTheEnvironmentAreMergedAndTheFirstWins) {
  const std::string first = File("first",
                                 "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
                                 "users: [{name: u, user: {token: first}}]\n");
  const std::string second = File("second",
                                  "current-context: other\nusers: [{name: u, user: {token: second}}]\n"
                                  "clusters: [{name: k, cluster: {server: https://a}}]\n");
  setenv("KUBECONFIG", (first + ":" + folder_.path() + "/missing:" + second).c_str(), 1);
  const auto access = FindAccess({}, diagnostics_);
  ASSERT_TRUE(access) << Error();
  EXPECT_EQ(access->user.token, "first");
  EXPECT_EQ(access->server.url, "https://a");
}

TEST_F(KubeConfig, NothingAnywhereSaysWhatToName) {
  EXPECT_FALSE(FindAccess({}, diagnostics_));
  EXPECT_THAT(Error(), HasSubstr("--kubeconfig"));
}

TEST_F(KubeConfig, ServiceAccountIsReadInAPod) {
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  WriteFile(folder_ / "token", "t1\n");
  EXPECT_FALSE(ReadServiceAccount(folder_.path(), diagnostics_));
  EXPECT_THAT(Error(), AllOf(HasSubstr("ca.crt"), HasSubstr("automountServiceAccountToken")));
  WriteFile(folder_ / "ca.crt", kPem);
  WriteFile(folder_ / "namespace", "sluice-system");
  const auto access = ReadServiceAccount(folder_.path(), diagnostics_);
  ASSERT_TRUE(access);
  EXPECT_EQ(access->server.url, "https://[fd00::1]:443");
  EXPECT_EQ(access->namespace_name, "sluice-system");
  EXPECT_EQ(access->user.token_file, folder_ / "token");
}

}  // namespace
}  // namespace sluice
