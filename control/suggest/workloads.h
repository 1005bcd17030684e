// Pods grouped by workload, and the labels that select one workload.
#ifndef SLUICE_CONTROL_SUGGEST_WORKLOADS_H_
#define SLUICE_CONTROL_SUGGEST_WORKLOADS_H_

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "sluice/address.h"

namespace sluice {

struct Workload {
  std::string namespace_name;
  Labels labels;     // without those that a controller makes
  std::string name;  // for people and for policies: a DNS label, unique in the namespace
  std::vector<const Pod*> pods;
  std::set<std::string> owners;  // "Deployment/web"; empty if nobody knows what runs the pods
  // As few of the labels as select only these pods in the namespace. All of the labels if fewer do not suffice, or if
  // even all of them select others, too. Empty if the pods have no labels.
  LabelSelector selector;
  bool selects_others = false;  // the selector also selects pods of other workloads
};

class Workloads {
 public:
  // The pods of the pod network that are not finished. Refers to the cluster.
  explicit Workloads(const Cluster& cluster);

  // Null if no pod has the address.
  const Workload* At(const IpAddress& address) const;
  const Pod* PodAt(const IpAddress& address) const;
  std::vector<const Workload*> Of(const std::string& namespace_name) const;  // sorted by name

 private:
  void NameAll();
  void SelectAll();

  std::map<std::pair<std::string, Labels>, Workload> workloads_;  // by namespace and labels
  std::unordered_map<IpAddress, std::pair<const Workload*, const Pod*>> by_address_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_SUGGEST_WORKLOADS_H_
