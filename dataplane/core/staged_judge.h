// What staged policies would change, as one worker sees it: judges by the staged table what was judged by the one in
// force, and counts where the two differ.
//
// It is told of each flow that is opened or judged again, of each packet that policy denies, and, of flows for which
// the tables differ, of the packets that they counted. A packet of a known flow pays nothing. What it is told of waits
// for a batch, whose cache misses overlap; Flush ends it, in the round in which it was told.
//
// One a worker, made by the control thread when something is staged for the first time. The worker's thread, but for
// the constructor and what says otherwise. Allocates when it is made only.
#ifndef SLUICE_DATAPLANE_CORE_STAGED_JUDGE_H_
#define SLUICE_DATAPLANE_CORE_STAGED_JUDGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/two_halves.h"
#include "sluice/address.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

class StagedJudge {
 public:
  // A pair whose traffic the two tables treat differently.
  struct Key {
    IpAddress source;
    IpAddress destination;
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0;
    bool would_allow = false;  // denied by the table in force, and not by the staged one; else the reverse
    // Of each side, by the table in force and by the staged one: what allows it, or what denies it.
    RuleId egress_rule = kNoRule;
    RuleId ingress_rule = kNoRule;
    RuleId staged_egress_rule = kNoRule;
    RuleId staged_ingress_rule = kNoRule;
    std::uint64_t epoch = 0;  // which the rules belong to
    std::uint64_t staged_epoch = 0;
    std::uint64_t staging = 0;  // Table::staging

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::uint64_t connections = 0;  // flows; of what is denied, packets
    std::uint64_t packets = 0;
    std::uint64_t first_ns = 0;  // the worker's clock
    std::uint64_t last_ns = 0;
  };
  // An address that opened a connection, or tried, or was admitted as the other end of one.
  struct Party {
    IpAddress key;
    std::uint64_t last_ns = 0;
    std::uint64_t staging = 0;
  };
  // What was counted since it was last taken.
  struct Half {
    explicit Half(std::uint32_t most) : pairs(most), parties(most) {}
    // Hands over the half itself; what is in it is gone afterwards.
    template <typename Visit>
    void Take(Visit visit) {
      visit(*this);
      pairs.Take([](const Entry&) {});
      parties.Take([](const Party&) {});
      judged = not_kept = 0;
    }

    KeyedList<Entry> pairs;
    KeyedList<Party> parties;
    std::uint64_t judged = 0;    // connections and denied packets
    std::uint64_t not_kept = 0;  // those that differed and found no room
  };
  static constexpr std::uint32_t kMost = 16384;

  // What flow it was, so that its packets are told of from now on. `flow` is below the capacity of its family.
  struct FlowName {
    Family family = Family::kIpv4;
    std::uint32_t flow = 0xffffffff;

    bool is_flow() const { return flow != 0xffffffff; }
  };

  // Flows are numbered below these.
  StagedJudge(std::uint64_t seed, std::uint32_t ipv4_flows, std::uint32_t ipv6_flows, bool drop_unknown_endpoint,
              std::uint32_t most = kMost);

  // A flow that was opened or judged again, or a packet without one, denied ones included. `answer`: of the table in
  // force. Requires that it is not full, as the next.
  void NoteJudged(const ClassifyQuery& query, const Classification& answer, FlowName flow) {
    const bool allowed = !IsDenied(answer);
    // A flow's packets are told of when they are folded.
    const std::uint64_t packets = flow.is_flow() && allowed ? 0 : 1;
    Note(query, {RuleOf(answer.egress, allowed), RuleOf(answer.ingress, allowed), allowed, 1, packets, flow});
  }
  // What a flow counted that is allowed by these rules, and differs.
  void NotePackets(const ClassifyQuery& query, RuleId egress_rule, RuleId ingress_rule, std::uint64_t packets) {
    Note(query, {egress_rule, ingress_rule, true, 0, packets, {}});
  }
  bool Differs(Family family, std::uint32_t flow) const {
    const std::vector<std::uint64_t>& words = differs_[family == Family::kIpv6];
    return (words[flow / 64] >> (flow % 64) & 1) != 0;
  }
  // Judges what was noted since the last time. `table` has a staged one.
  void Flush(const Table& table, std::uint64_t now_ns, const NamesNow& names = {});
  bool IsFull() const { return count_ == queries_.size(); }
  bool IsEmpty() const { return count_ == 0; }
  void Turn() { halves_.Turn(); }

  // The reader, as TwoHalves: visit(Half&) gets what the worker has turned from.
  TwoHalves<Half>& halves() { return halves_; }

 private:
  struct Noted {
    RuleId egress_rule = kNoRule;
    RuleId ingress_rule = kNoRule;
    bool allowed = true;
    std::uint64_t connections = 0;
    std::uint64_t packets = 0;
    FlowName flow;
  };

  bool IsDenied(const Classification& answer) const {
    return !answer.allow || (answer.unknown_endpoint && drop_unknown_endpoint_);
  }
  // Of what is denied, the rule that denies.
  static RuleId RuleOf(const Decision& side, bool allowed) { return side.allow && !allowed ? kNoRule : side.rule; }
  void Note(const ClassifyQuery& query, const Noted& noted) {
    queries_[count_] = query;
    noted_[count_++] = noted;
  }
  void Mark(FlowName flow, bool differs);
  void CountParty(const IpAddress& address, const Table& table, std::uint64_t now_ns, Half& half);
  void CountPair(const Key& key, const Noted& noted, std::uint64_t now_ns, Half& half);

  const std::uint64_t seed_;
  const bool drop_unknown_endpoint_;
  Classifier classifier_;
  std::array<std::vector<std::uint64_t>, 2> differs_;  // a bit a flow, by family: the tables treat it differently
  std::array<ClassifyQuery, Classifier::kMaxBurst> queries_;
  std::array<Noted, Classifier::kMaxBurst> noted_;
  std::array<Classification, Classifier::kMaxBurst> answers_;
  std::size_t count_ = 0;
  TwoHalves<Half> halves_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGED_JUDGE_H_
