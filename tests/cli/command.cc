#include "cli/command.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "schema/schema.h"
#include "support/places.h"

namespace sluice::test {

const std::string_view CommandTest::kShop = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: web, labels: {app: web}}
spec:
  nodeName: n1
  containers: [{name: web, image: web, ports: [{name: http, containerPort: 80}]}]
status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: db, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: db, image: db}]}
status: {podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: pending}
spec: {containers: [{name: main, image: main}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{ports: [{port: http}]}]
  egress:
  - to: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}]
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}]
)";

namespace {

// Every JSON that a test makes is as docs/sluicectl.schema.json has it: of many lines, the first ones.
void HoldToSchema(const std::vector<std::string>& arguments, const CommandResult& result) {
  constexpr std::size_t kLines = 50;
  const auto has = [&](const char* word) { return std::count(arguments.begin(), arguments.end(), word) > 0; };
  const std::string command = arguments.empty() ? "" : arguments.front();
  const bool has_schema = command == "check" || command == "explain" || command == "replay" || command == "lint";
  if (!has_schema || !has("json") || result.out.empty()) return;
  std::size_t end = 0;
  for (std::size_t i = 0; i < kLines && end != result.out.npos; ++i) end = result.out.find('\n', end + 1);
  const std::string json = command == "explain" ? result.out : result.out.substr(0, end);
  EXPECT_EQ(SchemaProblems(command == "replay" && has("--against") ? "replay_against" : command, json), "");
}

}  // namespace

CommandTest::CommandTest() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sluicectl-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  folder_ = pattern;
}

CommandTest::~CommandTest() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void CommandTest::Write(const std::string& name, std::string_view content) const {
  std::filesystem::create_directories((folder_ / name).parent_path());
  std::ofstream(folder_ / name, std::ios::binary) << content;
}

std::string CommandTest::Read(const std::string& name) const {
  std::ostringstream content;
  content << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
  return content.str();
}

CommandResult CommandTest::Run(const std::vector<std::string>& arguments) const {
  const pid_t child = fork();
  if (child == 0) {
    constexpr unsigned kSecondsToLive = 60;
    alarm(kSecondsToLive);
    const auto redirect = [](int from, const char* name, int flags) {
      const int file = open(name, flags, 0600);
      if (file < 0 || dup2(file, from) < 0) _exit(127);
    };
    if (chdir(folder_.c_str()) != 0) _exit(127);
    redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, ".stdout", O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, ".stderr", O_WRONLY | O_CREAT | O_TRUNC);
    std::vector<char*> argv = {const_cast<char*>("sluicectl")};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(BuiltProgram("sluicectl").c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  CommandResult result;
  if (child < 0 || waitpid(child, &status, 0) != child) return result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = Read(".stdout");
  result.err = Read(".stderr");
  HoldToSchema(arguments, result);
  return result;
}

}  // namespace sluice::test
