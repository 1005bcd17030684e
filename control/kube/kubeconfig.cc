#include "kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>

#include "kube/file.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// An entry of clusters, users or contexts: the fields below its name, and the file that holds it.
struct Entry {
  std::string file;
  std::string object;  // "cluster prod", for messages
  YAML::Node node;
};
using Entries = std::map<std::string, Entry>;

struct MergedFiles {
  Entries clusters;
  Entries users;
  Entries contexts;
  std::string current_context;
  std::string files;  // all of them, for messages
};

// Reads the fields of one entry. An error names the file, the entry and the field.
class EntryReader {
 public:
  EntryReader(const Entry& entry, Diagnostics& diagnostics) : entry_(entry), diagnostics_(diagnostics) {}

  std::string Text(const std::string& field) const { return TextOf(entry_.node[field], field); }

  bool Flag(const std::string& field) const {
    const YAML::Node node = entry_.node[field];
    if (Absent(node)) return false;
    bool flag = false;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, flag)) Error(node, field, "must be true or false");
    return flag;
  }

  // Returns a path, made absolute.
  std::string Path(const std::string& field) const {
    const std::string path = Text(field);
    return path.empty() ? path : (fs::absolute(entry_.file).parent_path() / path).lexically_normal().string();
  }

  // Reads `field`-data in base64, or the file that `field` names.
  PemSource Pem(const std::string& field) const {
    PemSource pem;
    const std::string encoded = Text(field + "-data");
    if (encoded.empty()) {
      pem.file = Path(field);
      if (std::string unread; !pem.file.empty() && !ReadFile(pem.file, unread)) {
        Error(entry_.node[field], field, "cannot be read: " + pem.file);
      }
      return pem;
    }
    const std::vector<unsigned char> bytes = YAML::DecodeBase64(encoded);
    pem.data.assign(bytes.begin(), bytes.end());
    if (pem.data.find("-----BEGIN") == std::string::npos) {
      Error(entry_.node[field + "-data"], field + "-data", "must be base64 of PEM (openssl x509, base64 -w0)");
    }
    return pem;
  }

  std::optional<ExecPlugin> Exec() const {
    const YAML::Node node = entry_.node["exec"];
    if (Absent(node)) return std::nullopt;
    ExecPlugin plugin;
    if (!node.IsMap()) {
      Error(node, "exec", "must be a map with apiVersion and command");
      return plugin;
    }
    plugin.api_version = TextOf(node["apiVersion"], "exec.apiVersion");
    if (plugin.api_version != "client.authentication.k8s.io/v1" &&
        plugin.api_version != "client.authentication.k8s.io/v1beta1") {
      Error(node, "exec.apiVersion",
            "must be client.authentication.k8s.io/v1 or /v1beta1, is \"" + plugin.api_version +
                "\": update the plugin's configuration");
    }
    plugin.command = TextOf(node["command"], "exec.command");
    if (plugin.command.empty()) Error(node, "exec.command", "is required: the program that prints credentials");
    if (plugin.command.find('/') != std::string::npos) {
      plugin.command = (fs::absolute(entry_.file).parent_path() / plugin.command).lexically_normal().string();
    }
    plugin.install_hint = TextOf(node["installHint"], "exec.installHint");
    if (TextOf(node["interactiveMode"], "exec.interactiveMode") == "Always") {
      Error(node["interactiveMode"], "exec.interactiveMode",
            "is Always, but there is no terminal here: use credentials of a service account");
    }
    for (const YAML::Node& arg : node["args"]) plugin.args.push_back(TextOf(arg, "exec.args"));
    for (const YAML::Node& pair : node["env"]) {
      if (pair.IsMap()) {
        plugin.env.emplace_back(TextOf(pair["name"], "exec.env.name"), TextOf(pair["value"], "exec.env.value"));
      } else {
        Error(pair, "exec.env", "must be a list of maps with name and value");
      }
    }
    const YAML::Node info = node["provideClusterInfo"];
    plugin.provide_cluster_info = !Absent(info) && info.as<bool>(false);
    return plugin;
  }

  void Error(const YAML::Node& node, const std::string& field, const std::string& message) const {
    // An absent node has no place; YAML::Node::Mark throws for it.
    const std::uint32_t line = Absent(node) ? 0 : static_cast<std::uint32_t>(node.Mark().line) + 1;
    diagnostics_.push_back({Severity::kError, entry_.file, line, entry_.object, field, message});
  }

 private:
  static bool Absent(const YAML::Node& node) { return !node.IsDefined() || node.IsNull(); }

  std::string TextOf(const YAML::Node& node, const std::string& field) const {
    if (Absent(node)) return {};
    if (node.IsScalar()) return node.Scalar();
    Error(node, field, "must be text");
    return {};
  }

  const Entry& entry_;
  Diagnostics& diagnostics_;
};

void AddError(Diagnostics& diagnostics, std::string file, std::string object, std::string field, std::string message) {
  diagnostics.push_back(
      {Severity::kError, std::move(file), 0, std::move(object), std::move(field), std::move(message)});
}

// Adds a file's `list` (clusters, users, contexts), whose entries each have a name and `kind` (cluster, user, context).
void MergeEntries(const YAML::Node& root, const std::string& file, const std::string& list, const std::string& kind,
                  Entries& entries) {
  for (const YAML::Node& item : root[list]) {
    if (!item.IsMap() || !item["name"].IsDefined() || !item["name"].IsScalar()) continue;
    const std::string name = item["name"].Scalar();
    const YAML::Node node = item[kind];
    entries.try_emplace(name, Entry{file, kind + ' ' + name, node.IsDefined() && node.IsMap() ? node : YAML::Node()});
  }
}

bool MergeFile(const std::string& file, MergedFiles& merged, Diagnostics& diagnostics) {
  std::string text;
  if (!ReadFile(file, text)) {
    AddError(diagnostics, file, "", "", "cannot be read: check the path and its permissions");
    return false;
  }
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return true;
    if (!root.IsMap()) {
      AddError(diagnostics, file, "", "", "is no kubeconfig: it must be a map with clusters, users and contexts");
      return false;
    }
    MergeEntries(root, file, "clusters", "cluster", merged.clusters);
    MergeEntries(root, file, "users", "user", merged.users);
    MergeEntries(root, file, "contexts", "context", merged.contexts);
    const YAML::Node current = root["current-context"];
    if (merged.current_context.empty() && current.IsDefined() && current.IsScalar()) {
      merged.current_context = current.Scalar();
    }
  } catch (const YAML::Exception& error) {
    diagnostics.push_back(
        {Severity::kError, file, static_cast<std::uint32_t>(error.mark.line + 1), "", "", "is no YAML: " + error.msg});
    return false;
  }
  return true;
}

std::string NamesOf(const Entries& entries) {
  std::string names;
  for (const auto& [name, entry] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

// Returns the entry that a context's field names, or null and an error.
const Entry* Named(const EntryReader& context, const std::string& field, const Entries& entries) {
  const std::string name = context.Text(field);
  const auto found = entries.find(name);
  if (found != entries.end()) return &found->second;
  context.Error(YAML::Node(), field,
                (name.empty() ? "is required" : "names \"" + name + "\", which is not there") +
                    "; there are: " + NamesOf(entries));
  return nullptr;
}

ServerAccess ReadServer(const EntryReader& cluster) {
  ServerAccess server;
  server.url = cluster.Text("server");
  while (server.url.ends_with('/')) server.url.pop_back();
  if (!server.url.starts_with("https://") && !server.url.starts_with("http://")) {
    cluster.Error(YAML::Node(), "server", "must be the API server's URL, such as https://10.0.0.1:6443");
  }
  server.ca = cluster.Pem("certificate-authority");
  server.skip_tls_verify = cluster.Flag("insecure-skip-tls-verify");
  if (server.skip_tls_verify && !server.ca.empty()) {
    cluster.Error(YAML::Node(), "insecure-skip-tls-verify", "excludes certificate-authority: remove one of them");
  }
  server.tls_server_name = cluster.Text("tls-server-name");
  server.proxy_url = cluster.Text("proxy-url");
  return server;
}

UserAccess ReadUser(const Entry& entry, const EntryReader& reader) {
  UserAccess user;
  user.token = reader.Text("token");
  user.token_file = reader.Path("tokenFile");
  user.certificate = reader.Pem("client-certificate");
  user.key = reader.Pem("client-key");
  if (user.certificate.empty() != user.key.empty()) {
    reader.Error(YAML::Node(), user.key.empty() ? "client-key" : "client-certificate",
                 "is required: a client certificate and its key come together");
  }
  user.username = reader.Text("username");
  user.password = reader.Text("password");
  user.exec = reader.Exec();
  if (entry.node["auth-provider"].IsDefined()) {
    reader.Error(entry.node["auth-provider"], "auth-provider",
                 "is no longer part of Kubernetes (since 1.26): use an exec plugin of the provider");
  }
  return user;
}

}  // namespace

std::optional<KubeAccess> ReadKubeConfig(const std::vector<std::string>& files, const std::string& context,
                                         Diagnostics& diagnostics) {
  MergedFiles merged;
  for (const std::string& file : files) {
    if (!MergeFile(file, merged, diagnostics)) return std::nullopt;
    merged.files += (merged.files.empty() ? "" : ":") + file;
  }
  const std::string name = context.empty() ? merged.current_context : context;
  const auto found = merged.contexts.find(name);
  if (found == merged.contexts.end()) {
    const std::string what =
        name.empty() ? "is not set: name a context with --context" : "there is no context \"" + name + '"';
    AddError(diagnostics, merged.files, "", context.empty() ? "current-context" : "contexts",
             what + "; there are: " + NamesOf(merged.contexts));
    return std::nullopt;
  }
  const std::size_t before = diagnostics.size();
  const EntryReader reader(found->second, diagnostics);
  const Entry* cluster = Named(reader, "cluster", merged.clusters);
  const Entry* user = Named(reader, "user", merged.users);
  if (cluster == nullptr || user == nullptr) return std::nullopt;
  KubeAccess access;
  access.origin = found->second.object + " of " + merged.files;
  access.namespace_name = reader.Text("namespace");
  if (access.namespace_name.empty()) access.namespace_name = "default";
  access.server = ReadServer(EntryReader(*cluster, diagnostics));
  access.user = ReadUser(*user, EntryReader(*user, diagnostics));
  if (diagnostics.size() > before) return std::nullopt;
  return access;
}

std::optional<KubeAccess> ReadServiceAccount(const std::string& folder, Diagnostics& diagnostics) {
  const std::string host = Environment("KUBERNETES_SERVICE_HOST");
  const std::string port = Environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    AddError(diagnostics, "", "", "KUBERNETES_SERVICE_HOST",
             "is not set, nor is KUBERNETES_SERVICE_PORT: this is no Pod; name a file with --kubeconfig");
    return std::nullopt;
  }
  const std::string token_file = folder + "/token";
  const std::string ca_file = folder + "/ca.crt";
  for (const std::string& file : {token_file, ca_file}) {
    if (std::string unread; !ReadFile(file, unread)) {
      AddError(diagnostics, file, "", "",
               "cannot be read: the Pod needs a service account and automountServiceAccountToken");
      return std::nullopt;
    }
  }
  KubeAccess access;
  access.origin = "service account in " + folder;
  const bool ipv6 = host.find(':') != std::string::npos;
  access.server.url = "https://" + (ipv6 ? '[' + host + ']' : host) + ':' + port;
  access.server.ca.file = ca_file;
  access.user.token_file = token_file;
  if (!ReadFile(folder + "/namespace", access.namespace_name)) access.namespace_name = "default";
  return access;
}

std::optional<KubeAccess> FindAccess(const AccessOptions& options, Diagnostics& diagnostics) {
  if (!options.kubeconfig.empty()) return ReadKubeConfig({options.kubeconfig}, options.context, diagnostics);
  std::vector<std::string> files;
  const std::string listed = Environment("KUBECONFIG");
  for (std::size_t at = 0; at < listed.size();) {
    const std::size_t end = std::min(listed.find(':', at), listed.size());
    const std::string file = listed.substr(at, end - at);
    if (!file.empty() && fs::exists(file)) files.push_back(file);  // kubectl, too, skips files that are missing
    at = end + 1;
  }
  if (!listed.empty() && files.empty()) {
    AddError(diagnostics, "", "", "KUBECONFIG", "names no file that exists: " + listed);
    return std::nullopt;
  }
  if (!files.empty()) return ReadKubeConfig(files, options.context, diagnostics);
  if (!Environment("KUBERNETES_SERVICE_HOST").empty()) return ReadServiceAccount(kServiceAccountFolder, diagnostics);
  const std::string home_file = Environment("HOME") + "/.kube/config";
  if (fs::exists(home_file)) return ReadKubeConfig({home_file}, options.context, diagnostics);
  AddError(diagnostics, "", "", "",
           "no API server is known: name a file with --kubeconfig or KUBECONFIG (this is no Pod, and there is no " +
               home_file + ")");
  return std::nullopt;
}

}  // namespace sluice
