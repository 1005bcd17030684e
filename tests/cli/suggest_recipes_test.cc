// What `sluicectl suggest` writes from the connections of the shop and of each recipe, once it is applied: it denies
// nothing that was seen, and everything else that anybody tries.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cli/command.h"
#include "manifest/manifest_reader.h"

namespace sluice::test {
namespace {

using nlohmann::json;
using testing::IsEmpty;
using testing::Not;

// The shop, and each recipe: folders with cluster.yaml and flows.jsonl.
std::vector<std::string> Folders() {
  std::vector<std::string> folders = {"."};
  for (const auto& entry : std::filesystem::directory_iterator(kExamples + "/recipes")) {
    if (entry.is_directory()) folders.push_back("recipes/" + entry.path().filename().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

struct Port {
  std::string protocol;
  int number = 0;

  friend auto operator<=>(const Port&, const Port&) = default;
};

struct Seen {
  std::string source;  // "namespace/pod", or an address
  std::string destination;
  Port port;
};

constexpr const char* kStranger = "stranger/pod";
constexpr const char* kStrangePod =
    "{apiVersion: v1, kind: Pod, metadata: {namespace: stranger, name: pod, labels: {app: stranger}},"
    " status: {podIP: 10.250.0.1}}\n";

class SuggestedRecipe : public CommandTest, public testing::WithParamInterface<std::string> {
 protected:
  SuggestedRecipe() {
    cluster_ = ReadManifests({File("cluster.yaml")}).cluster;
    std::ifstream file(File("flows.jsonl"));
    for (std::string line; std::getline(file, line);) {
      const json flow = json::parse(line);
      if (flow["proto"] == "icmp") continue;  // a rule that admits it admits every port: --icmp
      const Port port{flow["proto"], flow["dport"]};
      ports_.insert(port);
      if (flow["expect"] == "allow") seen_.push_back({flow["src"], flow["dst"], port});
    }
  }

  // Between a pod and itself, or its own node, all passes, whatever policy says.
  bool NeedsNoRule(const Seen& flow) const {
    return flow.source == flow.destination || IsNode(flow.source) || IsNode(flow.destination);
  }
  bool IsNode(const std::string& end) const {
    const auto address = IpAddress::Parse(end);
    return address && std::any_of(cluster_.nodes.begin(), cluster_.nodes.end(), [&](const NodeObject& node) {
             return std::count(node.addresses.begin(), node.addresses.end(), *address) != 0;
           });
  }

  std::string File(const std::string& name) const { return kExamples + '/' + GetParam() + '/' + name; }

  static json Line(const Seen& flow) {
    return {
        {"id", flow.source + " to " + flow.destination + ' ' + flow.port.protocol + std::to_string(flow.port.number)},
        {"src", flow.source},
        {"dst", flow.destination},
        {"proto", flow.port.protocol},
        {"dport", flow.port.number}};
  }

  // Pods of one workload are alike: of those here, the ones of one namespace with the same labels.
  std::string WorkloadOf(const std::string& end) const {
    for (const Pod& pod : cluster_.pods) {
      if (pod.namespace_name + '/' + pod.name != end) continue;
      std::string workload = pod.namespace_name;
      for (const auto& [key, value] : pod.labels) workload += ' ' + key + '=' + value;
      return workload;
    }
    return end;
  }

  Cluster cluster_;
  std::vector<Seen> seen_;
  std::set<Port> ports_ = {{"tcp", 9}};
};

TEST_P(SuggestedRecipe, DeniesNothingThatWasSeenAndEverythingElse) {
  ASSERT_THAT(seen_, Not(IsEmpty()));
  std::string lines;
  for (const Seen& flow : seen_) lines += Line(flow).dump() + '\n';
  Write("seen.jsonl", lines);
  std::set<std::string> spaces;
  for (const Pod& pod : cluster_.pods) spaces.insert(pod.namespace_name);
  bool is_suggested = false;
  for (const std::string& space : spaces) {
    const CommandResult suggested =
        Run({"suggest", "-n", space, "--manifests", File("cluster.yaml"), "--flows", "seen.jsonl"});
    if (suggested.exit_code == 1) continue;  // nobody there was seen
    is_suggested = true;
    ASSERT_EQ(suggested.exit_code, 0) << suggested.err;
    Write("applied/" + space + ".yaml", suggested.out);
  }
  Write("applied/stranger-pod.yaml", kStrangePod);

  std::vector<std::string> ends = {kStranger, "198.51.100.99"};
  for (const Pod& pod : cluster_.pods) ends.push_back(pod.namespace_name + '/' + pod.name);
  std::set<std::string> bound;  // workloads that have a policy, if they have pods
  std::set<std::tuple<std::string, std::string, Port>> allowed;
  for (const Seen& flow : seen_) {
    if (NeedsNoRule(flow)) continue;
    for (const std::string& end : {flow.source, flow.destination}) {
      bound.insert(WorkloadOf(end));
      if (end.find('/') == end.npos) ends.push_back(end);
    }
    allowed.emplace(WorkloadOf(flow.source), WorkloadOf(flow.destination), flow.port);
  }
  std::size_t denied = 0;
  lines.clear();
  for (const std::string& source : ends) {
    for (const std::string& destination : ends) {
      const bool of_a_pod = (source.find('/') != source.npos && bound.contains(WorkloadOf(source))) ||
                            (destination.find('/') != destination.npos && bound.contains(WorkloadOf(destination)));
      if (source == destination || !of_a_pod) continue;
      for (const Port& port : ports_) {
        const bool was_seen = allowed.contains({WorkloadOf(source), WorkloadOf(destination), port});
        json line = Line({source, destination, port});
        line["expect"] = was_seen ? "allow" : "deny";
        lines += line.dump() + '\n';
        denied += was_seen ? 0 : 1;
      }
    }
  }
  EXPECT_EQ(denied > 0, is_suggested);
  if (lines.empty()) return;
  Write("tried.jsonl", lines);
  const CommandResult check =
      Run({"check", "--manifests", File("cluster.yaml"), "applied", "--flows", "tried.jsonl", "--engine", "both"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
}

INSTANTIATE_TEST_SUITE_P(Examples, SuggestedRecipe, testing::ValuesIn(Folders()), [](const auto& folder) {
  std::string text = folder.param == "." ? "shop" : folder.param.substr(sizeof "recipes");
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

}  // namespace
}  // namespace sluice::test
