// The whole road, of real parts: a Kubernetes API server, sluice-sync, sluiced on a wire, and a prober that sends
// packets across it all the while. To the API server, sluice-sync is the service account of deploy/rbac.yaml. Faults
// are a test's to make; after each, Settle says whether the table equals the cluster again, and at its end the rig says
// whether a packet got through that policy denied.
#ifndef SLUICE_TESTS_FAULTS_RIG_H_
#define SLUICE_TESTS_FAULTS_RIG_H_

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "faults/timeline.h"
#include "faults/veth_wire.h"
#include "kube/process.h"
#include "kube/test_cluster.h"
#include "model/objects.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {

using Json = nlohmann::json;

// One sluiced, and how a test looks into it.
class TestDataplane {
 public:
  TestDataplane(const TempFolder& folder, std::string name, std::string wire);

  // `prefix` goes in front of the command. Returns once it says `ready`; false: it did not.
  bool Start(const std::vector<std::string>& prefix = {});
  void Kill() { process_.Kill(); }
  Process& process() { return process_; }

  const std::string& target() const { return target_; }
  const std::string& state_folder() const { return state_; }
  void set_state_folder(std::string folder) { state_ = std::move(folder); }
  std::string Log() const;
  // False: it did not say so within some seconds.
  bool WaitForLog(const std::string& text) const;

  // Nothing: it does not answer.
  std::optional<v1::Status> Status() const;
  // Whether each kind of packet would pass, and the generation that said so; nothing where it does not answer, where
  // generations changed meanwhile, or where there is no policy.
  std::optional<Timeline::Verdicts> Verdicts(const std::vector<ProbeKind>& kinds, std::uint64_t* generation) const;

 private:
  const TempFolder& folder_;
  const std::string name_;
  const std::string wire_;
  const std::string target_;
  std::string state_;
  Process process_;
};

class Rig {
 public:
  // Two namespaces of two pods, somebody outside, and no policy; nothing runs yet but the prober.
  explicit Rig(TestCluster& cluster);
  // Expects that not one packet was let through that policy denied.
  ~Rig();

  TestCluster& cluster() { return cluster_; }
  const TempFolder& folder() const { return folder_; }
  TestDataplane& dataplane() { return dataplane_; }
  Process& sync() { return sync_; }
  const std::vector<ProbeKind>& kinds() const { return kinds_; }
  std::string SyncLog() const;
  bool WaitForSyncLog(const std::string& text) const;  // some seconds
  std::uint64_t AppliedSince(const std::string& target, std::size_t log_offset) const;

  // `more` are further targets and flags, `prefix` goes in front of the command.
  bool StartSync(const std::vector<std::string>& more = {}, const std::vector<std::string>& prefix = {});
  // What sluice-sync connects to in place of the dataplane.
  void set_target(std::string target) { target_ = std::move(target); }
  // Where sluice-sync finds the API server, in place of where that is.
  void set_api_server(std::string url) { api_server_ = std::move(url); }
  void set_user(std::string user) { user_ = std::move(user); }  // of the kubeconfig, as YAML in one line
  bool StartDataplane(const std::vector<std::string>& prefix = {});
  // Both, and settles.
  bool Start();

  // Edits of the cluster; each is one change that policy sees, and expects success.
  void PutPolicy(const std::string& space, const std::string& name, const Json& spec);
  void DeletePolicy(const std::string& space, const std::string& name);
  void MakePod(const std::string& space, const std::string& name, const std::string& address);
  void DeletePod(const std::string& space, const std::string& name);
  void MergePod(const std::string& space, const std::string& name, const Json& patch, const char* subresource = "");
  void RelabelSpace(const std::string& space, const std::string& team);
  // Any other: `edit` makes requests.
  void Edit(const std::function<void()>& edit);

  // Waits until the dataplane's verdicts equal the reference's on the cluster's objects, acknowledged; then real
  // packets pass where they should. False: not in time; a failure says what differs.
  bool Settle(std::chrono::milliseconds timeout = std::chrono::seconds(15));
  // The first half of it, of any dataplane; does not wait for packets.
  bool WaitInForce(TestDataplane& dataplane, std::chrono::milliseconds timeout);
  // Whether packets of every kind that is allowed come through, and none of the others, once what is under way is gone.
  bool PacketsObey();
  // No packet at all comes through for so long.
  bool NothingPasses(std::chrono::milliseconds time);
  // Some packet does, within a few seconds.
  bool SomethingPasses();
  std::uint64_t packets_sent() const { return prober_->sent(); }
  // Expects that no packet passed so far that policy denied.
  void ExpectNothingLeaked();

 private:
  Json ListOf(const std::string& path) const;
  Timeline::Verdicts ReferenceVerdicts() const;
  bool Acknowledged(std::uint64_t generation) const;

  TestCluster& cluster_;
  TempFolder folder_;
  VethWire wire_;
  TestDataplane dataplane_;
  std::string target_;
  std::string api_server_;
  std::string user_;
  Process sync_;
  std::size_t log_at_start_ = 0;  // of sluice-sync's log, when the dataplane was started
  std::vector<ProbeKind> kinds_;
  Timeline timeline_;
  std::unique_ptr<Prober> prober_;
};

// The names and addresses that every rig has.
struct RigPod {
  const char* space;
  const char* name;
  const char* address;
};
inline constexpr RigPod kRigPods[] = {
    {"red", "a", "10.7.0.1"}, {"red", "b", "10.7.0.2"}, {"blue", "c", "10.7.1.1"}, {"blue", "d", "10.7.1.2"}};
inline constexpr const char* kOutside = "192.0.2.1";
inline constexpr std::uint16_t kRigPorts[] = {80, 81};

// spec of a NetworkPolicy that selects all pods of its namespace and admits, on UDP `port`, the pods that `peer` says.
Json AdmitSpec(const Json& peer, int port);
inline Json PodsWhere(const std::string& key, const std::string& value) {
  return {{"podSelector", {{"matchLabels", {{key, value}}}}}};
}
inline Json SpacesWhere(const std::string& key, const std::string& value) {
  return {{"namespaceSelector", {{"matchLabels", {{key, value}}}}}};
}
// Denies all ingress to its namespace.
inline Json DenySpec() { return {{"podSelector", Json::object()}, {"policyTypes", {"Ingress"}}}; }

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_RIG_H_
