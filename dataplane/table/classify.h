// Classify: from addresses, protocol and port to a verdict with its rules, a burst at a time.
//
// Each worker (or tool) has one Classifier: it remembers decisions, and
// threads must not share it. A call needs no clock, no allocation and no lock.
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
  // For a flow that is judged again: the names of the rule by name that admitted it. The flow keeps the name that
  // it began with, even after its time (FQ-02). Null: no such rule. Must stay valid until the query is answered.
  const DomainPatterns* began_by = nullptr;
};

// What is known about names at this moment.
struct NamesNow {
  const LearntNames* learnt = nullptr;  // null: nothing
  std::uint64_t now_ns = 0;             // on the clock of LearntName::until_ns
};

struct Classification {
  bool allow = true;
  bool concerned = false;  // an end is a managed pod and no exemption applies; else no flow is needed
  bool unknown_endpoint =
      false;  // an end lies in a pod CIDR and no endpoint or node has it (the caller decides what that means)
  // No end is a pod, and one end is a node's address. The other may be an address of a node that this
  // table does not know (one node's view has no other nodes), but is not an address of the same node.
  bool between_nodes = false;
  Exemption exemption = Exemption::kNone;
  Decision egress;   // for the source, if it is a managed pod
  Decision ingress;  // for the destination, if it is a managed pod
  // For a denied side: the sections that bind it. All of them that isolate deny it together.
  IdSetId egress_sections = kEmptyIdSet;
  IdSetId ingress_sections = kEmptyIdSet;
};

class Classifier {
 public:
  static constexpr std::size_t kMaxBurst = 64;

  // Remembers up to three answers for two identities in each of `lines` lines (rounded up to a
  // power of two), and three decisions in each of a quarter as many lines. A line takes 64 bytes.
  explicit Classifier(std::size_t lines = 128 * 1024);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Fills out[i] from queries[i]; queries.size() <= kMaxBurst. If `exemptions` is false, self and own node are judged
  // like any other traffic. Generations may change from call to call; answers of tables with another `answers` are
  // forgotten. What names add is never remembered, and costs nothing for a table without rules by name.
  void Classify(const Table& table, std::span<const ClassifyQuery> queries, Classification* out, bool exemptions = true,
                const NamesNow& names = {});

  // Decisions that were not remembered, so that Table::Decide was asked, since start.
  std::uint64_t worked_out() const;

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_CLASSIFY_H_
