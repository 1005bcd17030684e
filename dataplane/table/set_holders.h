// Which endpoints have each member set: a change of some sets looks only at these endpoints. Private to the table.
#ifndef SLUICE_DATAPLANE_TABLE_SET_HOLDERS_H_
#define SLUICE_DATAPLANE_TABLE_SET_HOLDERS_H_

#include <cstdint>
#include <vector>

#include "sluice/id_set.h"
#include "sluice/policy_update.h"

namespace sluice {

// A list for each set, linked through the endpoints. There is none for the empty set, since no change is about it.
class SetHolders {
 public:
  // From now on, the endpoint has `set`, and no longer the set before it.
  void Put(EndpointId endpoint, IdSetId set) {
    if (endpoint >= links_.size()) links_.resize(endpoint + 1);
    Link& link = links_[endpoint];
    if (link.set == set) return;
    if (link.set != kEmptyIdSet) Unlink(link);
    link = {set, kNone, kNone};
    if (set == kEmptyIdSet) return;
    if (set >= first_.size()) first_.resize(set + 1, kNone);
    link.next = first_[set];
    if (link.next != kNone) links_[link.next].previous = endpoint;
    first_[set] = endpoint;
  }

  template <typename Visit>
  void ForEach(IdSetId set, Visit visit) const {
    if (set >= first_.size()) return;
    for (EndpointId endpoint = first_[set]; endpoint != kNone; endpoint = links_[endpoint].next) visit(endpoint);
  }

  std::uint64_t MemoryBytes() const {
    return links_.capacity() * sizeof(links_[0]) + first_.capacity() * sizeof(first_[0]);
  }

 private:
  static constexpr EndpointId kNone = 0xffffffff;

  struct Link {
    IdSetId set = kEmptyIdSet;
    EndpointId next = kNone;
    EndpointId previous = kNone;
  };

  void Unlink(const Link& link) {
    (link.previous == kNone ? first_[link.set] : links_[link.previous].next) = link.next;
    if (link.next != kNone) links_[link.next].previous = link.previous;
  }

  std::vector<Link> links_;        // by endpoint
  std::vector<EndpointId> first_;  // by set
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_SET_HOLDERS_H_
