#include "kube/test_cluster.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <thread>

namespace sluice {
namespace {

using nlohmann::json;

constexpr char kAdminToken[] = "admin-of-this-test";

// Where scripts/build-test-cluster.sh puts what it builds; SLUICE_KUBE_VERSION is read from the same go.mod.
std::string Built(const std::string& name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::string base = cache != nullptr ? cache : std::string(home == nullptr ? "" : home) + "/.cache";
  return base + "/sluice/kube-" SLUICE_KUBE_VERSION "/" + name;
}

std::string ApiServerProgram() {
  return FindProgram("SLUICE_KUBE_APISERVER", "kube-apiserver", Built("kube-apiserver"));
}

// Debian 12 has etcd 3.4, which does not answer JSON as Store and Compact ask it.
bool AnswersJson(const std::string& etcd) {
  FILE* output = popen(('\'' + etcd + "' --version 2>/dev/null").c_str(), "r");
  if (output == nullptr) return false;
  int major = 0;
  int minor = 0;
  const bool known = std::fscanf(output, "etcd Version: %d.%d", &major, &minor) == 2;
  pclose(output);
  return known && (major > 3 || (major == 3 && minor >= 5));
}

std::string Url(const char* scheme, int port) { return std::string(scheme) + "://127.0.0.1:" + std::to_string(port); }

std::size_t Append(char* data, std::size_t, std::size_t size, void* text) {
  static_cast<std::string*>(text)->append(data, size);
  return size;
}

HttpAnswer Request(const std::string& method, const std::string& url, const std::string& ca_file,
                   const std::string& type, const std::string& body, const std::string& token = kAdminToken) {
  HttpAnswer answer;
  CURL* easy = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, ("Authorization: Bearer " + token).c_str());
  if (!type.empty()) headers = curl_slist_append(headers, ("Content-Type: " + type).c_str());
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
  if (!type.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  curl_easy_perform(easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return answer;
}

void ExpectDone(const HttpAnswer& answer) {
  EXPECT_TRUE(answer.status >= 200 && answer.status < 300) << answer.status << ' ' << answer.body;
}

std::string Base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto byte = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
    const unsigned group = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    for (int shift = 18; shift >= 0; shift -= 6) text += kDigits[group >> shift & 63];
  }
  for (std::size_t spare = (3 - bytes.size() % 3) % 3; spare > 0; --spare) text[text.size() - spare] = '=';
  return text;
}

std::string Tail(const std::string& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  constexpr std::size_t kLength = 2000;
  return text.str().size() > kLength ? text.str().substr(text.str().size() - kLength) : text.str();
}

}  // namespace

std::optional<int> TestCluster::Missing() {
  if (!ApiServerProgram().empty() && !EtcdProgram().empty()) return std::nullopt;
  constexpr int kSkipped = 77;  // what ctest takes for "skipped"
  const char* ci = std::getenv("CI");
  const bool in_ci = ci != nullptr && std::string_view(ci) == "true";
  std::cerr << (in_ci ? "failed: " : "skipped: ")
            << "no kube-apiserver and etcd here: scripts/build-test-cluster.sh builds them\n";
  return in_ci ? 1 : kSkipped;
}

std::string TestCluster::EtcdProgram() { return FindProgram("SLUICE_ETCD", "etcd", Built("etcd"), &AnswersJson); }
std::string TestCluster::KubectlProgram() { return FindProgram("SLUICE_KUBECTL", "kubectl", Built("kubectl")); }

TestCluster::TestCluster()
    : port_(FreePort()),
      paged_port_(FreePort()),
      url_(Url("https", port_)),
      paged_url_(Url("https", paged_port_)),
      etcd_url_(Url("http", FreePort())),
      etcd_peer_url_(Url("http", FreePort())) {}

bool TestCluster::MakeCertificates() const {
  const auto at = [this](const char* name) { return folder_ / name; };
  WriteFile(at("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:kube.test\n");
  WriteFile(at("sync.ext"), "extendedKeyUsage=clientAuth\n");
  const auto sign = [&at](const std::string& name, const std::string& subject) {
    return RunCommand({"/usr/bin/openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout",
                       at((name + ".key").c_str()), "-subj", subject, "-out", at((name + ".csr").c_str())}) == 0 &&
           RunCommand({"/usr/bin/openssl", "x509", "-req", "-in", at((name + ".csr").c_str()), "-CA", at("ca.crt"),
                       "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", at((name + ".ext").c_str()),
                       "-out", at((name + ".crt").c_str())}) == 0;
  };
  return RunCommand({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("ca.key"),
                     "-subj", "/CN=sluice-test", "-days", "2", "-out", at("ca.crt")}) == 0 &&
         sign("server", "/CN=kube.test") && sign("sync", "/CN=system:serviceaccount:sluice-system:sluice-sync") &&
         RunCommand({"/usr/bin/openssl", "genrsa", "-out", at("accounts.key"), "2048"}) == 0;
}

bool TestCluster::Start() {
  if (!MakeCertificates()) return false;
  WriteFile(folder_ / "tokens.csv",
            std::string(kAdminToken) + ",admin,admin,\"system:masters\"\n" + "of-nobody,nobody,nobody,\"\"\n");
  return StartEtcd() && RestartApiServer();
}

bool TestCluster::StartEtcd() {
  return etcd_.Start(
      {EtcdProgram(), "--data-dir", folder_ / "etcd", "--listen-client-urls", etcd_url_, "--advertise-client-urls",
       etcd_url_, "--listen-peer-urls", etcd_peer_url_, "--initial-advertise-peer-urls", etcd_peer_url_,
       "--initial-cluster", "default=" + etcd_peer_url_, "--unsafe-no-fsync"},
      folder_ / "etcd.log");
}

bool TestCluster::SaveState() {
  std::error_code error;
  etcd_.Kill();
  std::filesystem::remove_all(folder_ / "etcd-saved", error);
  std::filesystem::copy(folder_ / "etcd", folder_ / "etcd-saved", std::filesystem::copy_options::recursive, error);
  return !error && StartEtcd();
}

bool TestCluster::RestoreState() {
  std::error_code error;
  api_server_.Kill();
  paged_server_.Kill();
  etcd_.Kill();
  std::filesystem::remove_all(folder_ / "etcd", error);
  std::filesystem::copy(folder_ / "etcd-saved", folder_ / "etcd", std::filesystem::copy_options::recursive, error);
  return !error && StartEtcd() && RestartApiServer();
}

bool TestCluster::RestartApiServer() { return StartApiServer(api_server_, port_, "WatchList=true", url_); }

bool TestCluster::StartPagedServer() {
  return paged_server_.running() || StartApiServer(paged_server_, paged_port_, "WatchList=false", paged_url_);
}

bool TestCluster::StartApiServer(Process& process, int port, const std::string& gates, const std::string& url) {
  process.Start(
      {ApiServerProgram(), "--etcd-servers=" + etcd_url_, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
       "--secure-port=" + std::to_string(port), "--tls-cert-file=" + folder_ / "server.crt",
       "--tls-private-key-file=" + folder_ / "server.key", "--client-ca-file=" + folder_ / "ca.crt",
       "--token-auth-file=" + folder_ / "tokens.csv", "--authorization-mode=RBAC",
       "--disable-admission-plugins=ServiceAccount", "--service-account-issuer=https://kubernetes.default.svc",
       "--service-account-key-file=" + folder_ / "accounts.key",
       "--service-account-signing-key-file=" + folder_ / "accounts.key", "--service-cluster-ip-range=10.96.0.0/16",
       "--endpoint-reconciler-type=none", "--allow-privileged=true", "--feature-gates=" + gates},
      folder_ / "kube-apiserver.log");
  return WaitUntil(url, process);
}

bool TestCluster::WaitUntil(const std::string& url, Process& process) const {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::seconds(60);
  while (steady_clock::now() < deadline && process.running()) {
    if (Request("GET", url + "/readyz", ca_file(), "", "").status == 200) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

std::string TestCluster::LastWords() const {
  return "etcd:\n" + Tail(folder_ / "etcd.log") + "\nkube-apiserver:\n" + Tail(folder_ / "kube-apiserver.log");
}

KubeAccess TestCluster::Admin() const { return WithToken(kAdminToken); }

KubeAccess TestCluster::WithToken(const std::string& token) const {
  KubeAccess access;
  access.origin = "the test cluster";
  access.server.url = url_;
  access.server.ca.file = ca_file();
  access.user.token = token;
  return access;
}

std::string TestCluster::KubeConfigFile(const std::string& token) const {
  const std::string file = folder_ / (token.empty() ? "kubeconfig" : "kubeconfig-by-token");
  const json config = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", "test"},
      {"contexts", {{{"name", "test"}, {"context", {{"cluster", "test"}, {"user", "test"}}}}}},
      {"clusters", {{{"name", "test"}, {"cluster", {{"server", url_}, {"certificate-authority", ca_file()}}}}}},
      {"users", {{{"name", "test"}, {"user", {{"token", token.empty() ? kAdminToken : token}}}}}}};
  WriteFile(file, config.dump());
  return file;
}

bool TestCluster::Compact() {
  const std::string status = Request("POST", etcd_url_ + "/v3/maintenance/status", "", "application/json", "{}").body;
  const json parsed = json::parse(status, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("header")) return false;
  const json request = {{"revision", parsed["header"]["revision"]}, {"physical", true}};
  const HttpAnswer answer = Request("POST", etcd_url_ + "/v3/kv/compaction", "", "application/json", request.dump());
  // Where nothing was written since the last time, it is so already.
  return answer.status == 200 || answer.body.find("has been compacted") != std::string::npos;
}

bool TestCluster::Store(const std::string& key, const std::string& object) {
  const json request = {{"key", Base64(key)}, {"value", Base64(object)}};
  return Request("POST", etcd_url_ + "/v3/kv/put", "", "application/json", request.dump()).status == 200;
}

HttpAnswer TestCluster::Send(const std::string& method, const std::string& path, const std::string& type,
                             const std::string& body) const {
  return Request(method, url_ + path, ca_file(), type, body);
}

HttpAnswer TestCluster::SendAs(const std::string& token, const std::string& method, const std::string& path,
                               const std::string& type, const std::string& body) const {
  return Request(method, url_ + path, ca_file(), type, body, token);
}

HttpAnswer TestCluster::Post(const std::string& path, const std::string& body) const {
  return Send("POST", path, body.starts_with('{') ? "application/json" : "application/yaml", body);
}

HttpAnswer TestCluster::Put(const std::string& path, const std::string& body) const {
  return Send("PUT", path, "application/json", body);
}

HttpAnswer TestCluster::Merge(const std::string& path, const std::string& body) const {
  return Send("PATCH", path, "application/merge-patch+json", body);
}

HttpAnswer TestCluster::Delete(const std::string& path) const {
  return Send("DELETE", path, "application/json", R"({"gracePeriodSeconds":0})");
}

void TestCluster::MakeNamespace(const std::string& name) const {
  ExpectDone(Post("/api/v1/namespaces", json{{"metadata", {{"name", name}}}}.dump()));
}

std::string TestCluster::MakePod(const std::string& space, const std::string& name, const std::string& address,
                                 const std::string& node) const {
  const std::string folder = "/api/v1/namespaces/" + space + "/pods";
  json pod = {{"metadata", {{"name", name}, {"labels", {{"app", name}}}}},
              {"spec", {{"containers", {{{"name", "main"}, {"image", "none"}}}}}}};
  if (!node.empty()) pod["spec"]["nodeName"] = node;
  const HttpAnswer made = Post(folder, pod.dump());
  ExpectDone(made);
  const json status = {{"status", {{"phase", "Running"}, {"podIP", address}, {"podIPs", {{{"ip", address}}}}}}};
  ExpectDone(Merge(folder + '/' + name + "/status", status.dump()));
  const json answer = json::parse(made.body, nullptr, false);
  return answer.is_object() && answer.contains("metadata") ? answer["metadata"].value("uid", "") : "";
}

void TestCluster::DeletePod(const std::string& space, const std::string& name) const {
  ExpectDone(Delete("/api/v1/namespaces/" + space + "/pods/" + name));
}

}  // namespace sluice
