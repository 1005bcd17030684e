// A real Kubernetes API server and etcd on 127.0.0.1, for one test binary.
//
// Each program is the environment's (SLUICE_KUBE_APISERVER, SLUICE_ETCD), else the PATH's, else what
// scripts/build-test-cluster.sh built; of the PATH, no etcd before 3.5. There is no kubelet and no controller: Pods get
// the status that a test gives them.
#ifndef SLUICE_TESTS_KUBE_TEST_CLUSTER_H_
#define SLUICE_TESTS_KUBE_TEST_CLUSTER_H_

#include <optional>
#include <string>

#include "kube/access.h"
#include "kube/process.h"

namespace sluice {

struct HttpAnswer {
  long status = 0;  // 0: none
  std::string body;
};

class TestCluster {
 public:
  // Where it cannot be had: says why on standard error, and returns what a test then exits with (77: skipped; in CI it
  // is a failure).
  static std::optional<int> Missing();
  // Empty: there is none.
  static std::string KubectlProgram();
  static std::string EtcdProgram();

  TestCluster();

  // Starts both and waits until they serve (at most a minute). The API server that has the streaming list listens at
  // url(); StartPagedServer adds one on the same etcd that has it not. False: LastWords says why.
  bool Start();
  bool StartPagedServer();
  std::string LastWords() const;

  const std::string& url() const { return url_; }
  const std::string& paged_url() const { return paged_url_; }
  const std::string& etcd_url() const { return etcd_url_; }
  std::string ca_file() const { return folder_ / "ca.crt"; }
  const TempFolder& folder() const { return folder_; }
  // A client certificate of the service account in deploy/rbac.yaml: of what that grants, once it is applied.
  std::string sync_certificate_file() const { return folder_ / "sync.crt"; }
  std::string sync_key_file() const { return folder_ / "sync.key"; }
  // The access of a user who may do everything, by token.
  KubeAccess Admin() const;
  KubeAccess WithToken(const std::string& token) const;
  // The same for programs, of the admin or of whoever has that token: writes a kubeconfig into folder() and returns its
  // path.
  std::string KubeConfigFile(const std::string& token = "") const;

  // Faults, of the server at url().
  void KillApiServer() { api_server_.Kill(); }
  bool RestartApiServer();
  Process& api_server() { return api_server_; }
  // An authority and certificates in place of those that there are; the server takes them at its next start.
  bool MakeCertificates() const;
  // etcd forgets every version but the present one.
  bool Compact();
  // A backup of etcd as it is just now, and its return: whatever came since is undone, and versions go back. API
  // servers end with it, and the one at url() starts again; etcd is away for a moment either way.
  bool SaveState();
  bool RestoreState();
  // An object as some older API server may have stored it, past all that this one checks. `key` as in etcd
  // ("/registry/networkpolicies/default/web"), `object` JSON with its kind.
  bool Store(const std::string& key, const std::string& object);

  // As the admin. `path` as in the API ("/api/v1/namespaces"); `body` JSON or YAML.
  HttpAnswer Get(const std::string& path) const { return Send("GET", path, "", ""); }
  HttpAnswer Post(const std::string& path, const std::string& body) const;
  HttpAnswer Put(const std::string& path, const std::string& body) const;
  HttpAnswer Merge(const std::string& path, const std::string& body) const;  // a JSON merge patch
  HttpAnswer Delete(const std::string& path) const;
  HttpAnswer Send(const std::string& method, const std::string& path, const std::string& type,
                  const std::string& body) const;
  // As whoever has that bearer token.
  HttpAnswer SendAs(const std::string& token, const std::string& method, const std::string& path,
                    const std::string& type, const std::string& body) const;

  // Each expects success.
  void MakeNamespace(const std::string& name) const;
  // A running pod without a finalizer, with its address in the status. Returns its uid.
  std::string MakePod(const std::string& space, const std::string& name, const std::string& address,
                      const std::string& node = "") const;
  void DeletePod(const std::string& space, const std::string& name) const;

 private:
  bool StartEtcd();
  bool StartApiServer(Process& process, int port, const std::string& gates, const std::string& url);
  bool WaitUntil(const std::string& url, Process& process) const;

  TempFolder folder_;
  int port_;
  int paged_port_;
  std::string url_;
  std::string paged_url_;
  std::string etcd_url_;
  std::string etcd_peer_url_;
  Process etcd_;
  Process api_server_;
  Process paged_server_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_TEST_CLUSTER_H_
