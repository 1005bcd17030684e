// Pods by workload, and the labels that name one.
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
  Labels labels;     // less those that a controller makes
  std::string name;  // for people and for policies: a DNS label, unique in the namespace
  std::vector<const Pod*> pods;
  std::set<std::string> owners;  // "Deployment/web"; none where it is not known what runs the pods
  // As few of the labels as select these pods alone among the namespace's; all of them where that takes all, or where
  // even all select others too. Empty where the pods have none.
  LabelSelector selector;
  bool selects_others = false;  // the selector also selects pods of other workloads
};

class Workloads {
 public:
  // Pods of the pod network that are not finished. Refers to the cluster.
  explicit Workloads(const Cluster& cluster);

  // Null where no pod has the address.
  const Workload* At(const IpAddress& address) const;
  const Pod* PodAt(const IpAddress& address) const;
  std::vector<const Workload*> Of(const std::string& namespace_name) const;  // by name

 private:
  void NameAll();
  void SelectAll();

  std::map<std::pair<std::string, Labels>, Workload> workloads_;  // by namespace and labels
  std::unordered_map<IpAddress, std::pair<const Workload*, const Pod*>> by_address_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_SUGGEST_WORKLOADS_H_
