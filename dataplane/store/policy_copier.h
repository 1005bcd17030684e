// Copies the whole policy of one moment, a slice at a time, so that the writer never waits for all of it.
//
// The store tells it what changes between two slices. When all slices are copied, objects that changed since are copied
// again. When the rest of these fits into one slice, that slice's moment is the copy's. If the writer always changed
// more than a slice between two steps, this would never end: so after a few tries all of the rest is copied at once.
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
  // Every function except Take requires the store's lock.

  // The policy was replaced: the copy begins again, unless it is complete.
  void OnReplace();
  void OnUpdate(const PolicyChange& change);
  // Member sets were renumbered; the policy is the same.
  void OnRenumber() { set_numbers_.clear(); }
  // Copies the next slice. True: nothing is left, and the copy shows this moment.
  bool Step(const ResolvedPolicy& policy);

  // Requires that nothing is left.
  ResolvedPolicy Take();

 private:
  static constexpr std::size_t kSlice = 256;  // objects
  static constexpr int kTries = 8;
  static constexpr IdSetId kNotCopied = 0xffffffff;

  IdSetId CopySet(const ResolvedPolicy& policy, IdSetId set, std::size_t& budget);
  bool CopyNext(const ResolvedPolicy& policy, std::size_t budget);
  bool CopyChanged(const ResolvedPolicy& policy, std::size_t budget);

  ResolvedPolicy copy_;
  // By number of a member set in the policy: its number in the copy. kNotCopied, or beyond the end: it has none yet.
  std::vector<IdSetId> set_numbers_;
  std::string last_policy_;  // its sections were copied, and those of all policies before it by name
  bool all_sections_ = false;
  bool complete_ = false;
  int tries_ = 0;  // slices and copies that were not the last, because the policy changed

  std::set<NodeId> nodes_;
  std::set<GroupId> groups_;
  std::set<EndpointId> endpoints_;
  std::set<std::string> policies_;
  std::map<std::string, std::vector<Section>> changed_sections_;  // replace those in the copy
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_COPIER_H_
