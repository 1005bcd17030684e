#include "kube/exec_plugin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

extern char** environ;  // NOLINT: POSIX's name

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

// KUBERNETES_EXEC_INFO, which tells the plugin what it needs: an ExecCredential with a spec.
std::string ExecInfo(const ExecPlugin& plugin, const ServerAccess& server) {
  nlohmann::json info = {
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
  if (plugin.provide_cluster_info) {
    nlohmann::json& cluster = info["spec"]["cluster"];
    cluster["server"] = server.url;
    if (!server.tls_server_name.empty()) cluster["tls-server-name"] = server.tls_server_name;
    if (server.skip_tls_verify) cluster["insecure-skip-tls-verify"] = true;
    if (!server.proxy_url.empty()) cluster["proxy-url"] = server.proxy_url;
  }
  return info.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> EnvironmentOf(const ExecPlugin& plugin, const ServerAccess& server) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : plugin.env) variables[name] = value;
  variables["KUBERNETES_EXEC_INFO"] = ExecInfo(plugin, server);
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + '=' + value);
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A child process whose standard output we read. At the end it is killed, if it still runs, with all processes that it
// has started, and reaped.
class Child {
 public:
  explicit Child(std::chrono::milliseconds timeout) : deadline_(Clock::now() + timeout) {}
  ~Child() {
    if (output_ >= 0) close(output_);
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // errno's value, or 0.
  int Start(const ExecPlugin& plugin, const ServerAccess& server) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return errno;
    output_ = pipe_ends[0];
    std::vector<std::string> args = {plugin.command};
    args.insert(args.end(), plugin.args.begin(), plugin.args.end());
    std::vector<std::string> environment = EnvironmentOf(plugin, server);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    // The child gets a group of its own, and the signals that a program expects: we may have blocked or ignored some.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    const int error = posix_spawnp(&pid_, plugin.command.c_str(), &actions, &attributes, Pointers(args).data(),
                                   Pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    if (error != 0) pid_ = 0;
    return error;
  }

  // Reads what it prints until it closes its output. False: it was too slow, or printed more than 1 MiB.
  bool ReadAll(std::string& text) {
    constexpr std::size_t kLongest = 1 << 20;
    while (text.size() <= kLongest) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
      pollfd wait{output_, POLLIN, 0};
      if (left.count() <= 0 || (poll(&wait, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)) return false;
      if (wait.revents == 0) continue;
      char buffer[4096];
      const ssize_t size = read(output_, buffer, sizeof buffer);
      if (size == 0) return true;
      if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
    }
    return false;
  }

  // Returns waitpid's status; nothing: it did not end in time. Requires a child that was started.
  std::optional<int> Wait() {
    int status = 0;
    for (;;) {
      const pid_t ended = waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) break;
      if ((ended < 0 && errno != EINTR) || Clock::now() >= deadline_) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    pid_ = 0;
    return status;
  }

 private:
  const Clock::time_point deadline_;
  pid_t pid_ = 0;
  int output_ = -1;
};

// RFC 3339; 0 if the text is no time.
std::int64_t ParseExpiry(const std::string& text) {
  std::tm time = {};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr) return 0;
  if (*end == '.') end += 1 + std::strspn(end + 1, "0123456789");
  std::tm zone = {};
  if (strptime(end, "%z", &zone) == nullptr) return 0;
  return timegm(&time) - zone.tm_gmtoff;
}

std::optional<ExecCredential> ReadCredential(const ExecPlugin& plugin, const std::string& text, std::string& why) {
  const nlohmann::json printed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const std::string name = "exec plugin " + plugin.command;
  if (!printed.is_object() || printed.value("kind", nlohmann::json()) != "ExecCredential") {
    why = name + " printed no ExecCredential: run it by hand and look";
    return std::nullopt;
  }
  if (printed.value("apiVersion", nlohmann::json()) != plugin.api_version) {
    why = name + " printed an ExecCredential of another apiVersion than exec.apiVersion, " + plugin.api_version;
    return std::nullopt;
  }
  const nlohmann::json status = printed.value("status", nlohmann::json::object());
  const auto text_of = [&status](const char* field) {
    const auto found = status.find(field);
    return found != status.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  ExecCredential credential;
  if (status.is_object()) {
    credential.token = text_of("token");
    credential.certificate_pem = text_of("clientCertificateData");
    credential.key_pem = text_of("clientKeyData");
    credential.expires_s = ParseExpiry(text_of("expirationTimestamp"));
  }
  if (credential.certificate_pem.empty() != credential.key_pem.empty() ||
      (credential.token.empty() && credential.key_pem.empty())) {
    why = name + " printed neither status.token nor both status.clientCertificateData and clientKeyData";
    return std::nullopt;
  }
  return credential;
}

}  // namespace

std::optional<ExecCredential> RunExecPlugin(const ExecPlugin& plugin, const ServerAccess& server,
                                            std::chrono::milliseconds timeout, std::string& why) {
  const std::string name = "exec plugin " + plugin.command;
  Child child(timeout);
  if (const int error = child.Start(plugin, server); error != 0) {
    why = name + " cannot be run: " + std::strerror(error);
    if (!plugin.install_hint.empty()) why += "; " + plugin.install_hint;
    return std::nullopt;
  }
  std::string text;
  const std::optional<int> status = child.ReadAll(text) ? child.Wait() : std::nullopt;
  if (!status) {
    why = name + " did not end within " + std::to_string(timeout.count()) + " ms: it must not ask for anything";
    return std::nullopt;
  }
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    why = name + " failed" + (WIFEXITED(*status) ? ": exit " + std::to_string(WEXITSTATUS(*status)) : ", killed");
    return std::nullopt;
  }
  return ReadCredential(plugin, text, why);
}

}  // namespace sluice
