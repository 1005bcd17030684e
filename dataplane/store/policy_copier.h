// A copy of the whole policy as of one moment, made a slice at a time, so that the writer never waits for all of it.
//
// The store tells it what changes between two slices. When all slices are copied, what changed since each was is copied
// again; what is left of that fits in one slice, and its moment is the copy's. A writer that changes more than a slice
// between any two would never let it end: after a few tries the rest is taken at once.
#ifndef SLUICE_DATAPLANE_STORE_POLICY_COPIER_H_
#define SLUICE_DATAPLANE_STORE_POLICY_COPIER_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

class PolicyCopier {
 public:
  // All but Take: under the store's lock.

  // What there is of the copy is of the policy before: it begins anew, unless it is complete.
  void OnReplace();
  void OnUpdate(const PolicyChange& change);
  // Member sets have other numbers now, the policy is the same.
  void OnRenumber() { set_numbers_.clear(); }
  // Copies the next slice. True: nothing is left, and the copy is of this moment.
  bool Step(const ResolvedPolicy& policy);

  // Once nothing is left.
  ResolvedPolicy Take();

 private:
  static constexpr std::size_t kSlice = 256;  // objects
  static constexpr int kTries = 8;
  static constexpr IdSetId kNotCopied = 0xffffffff;

  IdSetId CopySet(const ResolvedPolicy& policy, IdSetId set, std::size_t& budget);
  bool CopyNext(const ResolvedPolicy& policy, std::size_t budget);
  bool CopyChanged(const ResolvedPolicy& policy, std::size_t budget);

  ResolvedPolicy copy_;
  // Of the policy's member sets in the copy; kNotCopied or beyond the end: none yet.
  std::vector<IdSetId> set_numbers_;
  std::string last_policy_;  // whose sections were copied, and those of all before it by name
  bool all_sections_ = false;
  bool complete_ = false;
  int tries_ = 0;  // slices and copies that were not the last because the policy changed

  std::set<NodeId> nodes_;
  std::set<GroupId> groups_;
  std::set<EndpointId> endpoints_;
  std::set<std::string> policies_;
  std::map<std::string, std::vector<Section>> changed_sections_;  // in place of those in the copy
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_COPIER_H_
