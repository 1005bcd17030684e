// How to reach an API server, and as which user. Plain values: kubeconfig.h makes them, credentials.h
// and api_client.h use them.
#ifndef SLUICE_CONTROL_KUBE_ACCESS_H_
#define SLUICE_CONTROL_KUBE_ACCESS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// PEM, either here or in a file. The file is read again whenever it is needed, because others may renew it meanwhile.
struct PemSource {
  std::string data;  // wins if both are given
  std::string file;

  bool empty() const { return data.empty() && file.empty(); }
};

struct ServerAccess {
  std::string url;  // "https://10.0.0.1:6443", no slash at its end
  PemSource ca;     // empty: the system's authorities
  bool skip_tls_verify = false;
  std::string tls_server_name;  // the name in the server's certificate, if it is not the URL's host
  std::string proxy_url;        // http, https or socks5; empty: what HTTPS_PROXY and NO_PROXY say
};

// client.authentication.k8s.io ExecConfig: a program that prints credentials.
struct ExecPlugin {
  std::string api_version;  // client.authentication.k8s.io/v1 or /v1beta1
  std::string command;      // a path, or a name to be found in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // added to our own
  std::string install_hint;
  bool provide_cluster_info = false;
};

// Everything that is given is presented; several may be given. Nothing at all means the anonymous user.
struct UserAccess {
  std::string token;
  std::string token_file;  // wins over `token` as long as it can be read
  PemSource certificate;
  PemSource key;
  std::string username;  // HTTP basic authentication
  std::string password;
  std::optional<ExecPlugin> exec;
};

struct KubeAccess {
  std::string origin;          // "context prod of /home/me/.kube/config": for messages
  std::string namespace_name;  // the context's; `default` if it gives none
  ServerAccess server;
  UserAccess user;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_ACCESS_H_
