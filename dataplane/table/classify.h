// Classify: from addresses, protocol and port to a verdict with its rules, a burst at a time.
//
// One Classifier a worker (or a tool): it remembers decisions and must not be shared between threads. Needs no clock,
// no allocation and no lock per call.
#ifndef SLUICE_DATAPLANE_TABLE_CLASSIFY_H_
#define SLUICE_DATAPLANE_TABLE_CLASSIFY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "sluice/address.h"
#include "sluice/domain_name.h"
#include "sluice/policy_terms.h"
#include "table/learnt_names.h"
#include "table/table.h"

namespace sluice {

struct ClassifyQuery {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;  // host order; read for TCP, UDP and SCTP only
  // Of a flow that is judged again: what the rule by name asked for that admitted it. It keeps the name that it began
  // with, also past its time (FQ-02). Null: none did. Must stay valid until the query is answered.
  const DomainPatterns* began_by = nullptr;
};

// What is known of names at this moment.
struct NamesNow {
  const LearntNames* learnt = nullptr;  // null: nothing
  std::uint64_t now_ns = 0;             // on the clock of LearntName::until_ns
};

struct Classification {
  bool allow = true;
  bool concerned = false;  // an end is a managed pod and no exemption applies; else no flow is needed
  bool unknown_endpoint =
      false;  // an end lies in a pod CIDR and no endpoint or node has it (the caller decides what that means)
  // No end is a pod, and one is a node's address; the other may be a node's that this table does not know (a view of
  // one node has no others), but is not the same node's.
  bool between_nodes = false;
  Exemption exemption = Exemption::kNone;
  Decision egress;   // of the source, where it is a managed pod
  Decision ingress;  // of the destination, where it is one
  // Where a side is denied: the sections that bind it, all of which that isolate deny together.
  IdSetId egress_sections = kEmptyIdSet;
  IdSetId ingress_sections = kEmptyIdSet;
};

class Classifier {
 public:
  static constexpr std::size_t kMaxBurst = 64;

  // Remembers up to three answers for two identities in each of `lines` (rounded up to a power of two), and three
  // decisions in each of a quarter as many; a line takes 64 bytes.
  explicit Classifier(std::size_t lines = 128 * 1024);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Fills out[i] from queries[i]; queries.size() <= kMaxBurst. `exemptions` false: self and own node are judged like
  // any other traffic. Generations may change from call to call; what was remembered of tables with other answers is
  // forgotten. What names add is never remembered, and costs a table without rules by name nothing.
  void Classify(const Table& table, std::span<const ClassifyQuery> queries, Classification* out, bool exemptions = true,
                const NamesNow& names = {});

  // Decisions that were not remembered and asked of Table::Decide, since start.
  std::uint64_t worked_out() const;

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_CLASSIFY_H_
