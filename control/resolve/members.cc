#include "resolve/members.h"

#include <span>

namespace sluice {
namespace {

constexpr std::uint64_t kBlockMemberships = 4u << 20;

void Read(const PodSet& set, std::vector<std::uint32_t>* numbers) {
  numbers->resize(set.cardinality());
  set.toUint32Array(numbers->data());
}

}  // namespace

std::vector<IdSetId> InternMembers(std::uint32_t pod_count, const std::vector<const PodSet*>& groups, IdSetPool* pool) {
  std::vector<std::uint32_t> numbers;
  std::vector<std::uint32_t> counts(pod_count);
  for (const PodSet* group : groups) {
    Read(*group, &numbers);
    for (const std::uint32_t pod : numbers) ++counts[pod];
  }

  std::vector<IdSetId> members(pod_count, kEmptyIdSet);
  std::vector<std::uint32_t> next;         // by pod of the block: where its next membership goes
  std::vector<std::uint32_t> memberships;  // pod after pod, each ascending because groups come in order
  for (std::uint32_t first = 0, end = 0; first < pod_count; first = end) {
    next.clear();
    std::uint64_t total = 0;
    do {
      next.push_back(static_cast<std::uint32_t>(total));
      total += counts[end++];
    } while (end < pod_count && total + counts[end] <= kBlockMemberships);
    memberships.resize(total);

    const bool whole = first == 0 && end == pod_count;
    PodSet block;
    block.addRange(first, end);
    for (std::uint32_t group = 0; group < groups.size(); ++group) {
      if (whole) {
        Read(*groups[group], &numbers);
      } else {
        Read(*groups[group] & block, &numbers);
      }
      for (const std::uint32_t pod : numbers) memberships[next[pod - first]++] = group;
    }
    for (std::uint32_t pod = first; pod < end; ++pod) {
      const std::uint32_t* last = memberships.data() + next[pod - first];
      members[pod] = pool->Intern(std::span(last - counts[pod], last));
    }
  }
  return members;
}

}  // namespace sluice
