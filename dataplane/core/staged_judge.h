// What staged policies would change, as one worker sees it. It judges again, by the
// staged table, what the table in force judged, and counts where the two differ.
//
// It is told of each flow that is opened or judged again, and of each packet that policy denies. For flows that the
// two tables judge differently, it is also told of the packets that they counted. A packet of a known flow pays
// nothing. Queries wait for a batch, so that their cache misses overlap; Flush ends the batch, in the same round.
//
// Each worker has one, which the control thread makes when something is staged for the first time. Runs on the
// worker's thread, except for the constructor and unless a function says otherwise. Allocates only when it is made.
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
    bool would_allow = false;  // the table in force denies it and the staged one does not; else the reverse
    // For each side, by the table in force and by the staged one: the rule that allows it, or that denies it.
    RuleId egress_rule = kNoRule;
    RuleId ingress_rule = kNoRule;
    RuleId staged_egress_rule = kNoRule;
    RuleId staged_ingress_rule = kNoRule;
    std::uint64_t epoch = 0;  // the epoch that the rules belong to
    std::uint64_t staged_epoch = 0;
    std::uint64_t staging = 0;  // Table::staging

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::uint64_t connections = 0;  // flows; for denied traffic, packets
    std::uint64_t packets = 0;
    std::uint64_t first_ns = 0;  // the worker's clock
    std::uint64_t last_ns = 0;
  };
  // An address that opened a connection, tried to, or was admitted as the other end of one.
  struct Party {
    IpAddress key;
    std::uint64_t last_ns = 0;
    std::uint64_t staging = 0;
  };
  // The counts since the last Take.
  struct Half {
    explicit Half(std::uint32_t most) : pairs(most), parties(most) {}
    // Hands over the half itself, and clears it afterwards.
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
    std::uint64_t not_kept = 0;  // those that differed but found no room
  };
  static constexpr std::uint32_t kMost = 16384;

  // Names the flow, so that its packets are counted from now on. `flow` is below the capacity of its family.
  struct FlowName {
    Family family = Family::kIpv4;
    std::uint32_t flow = 0xffffffff;

    bool is_flow() const { return flow != 0xffffffff; }
  };

  // Flow numbers are below `ipv4_flows` and `ipv6_flows`.
  StagedJudge(std::uint64_t seed, std::uint32_t ipv4_flows, std::uint32_t ipv6_flows, bool drop_unknown_endpoint,
              std::uint32_t most = kMost);

  // Notes a flow that was opened or judged again, or a packet without a flow, also if it was denied.
  // `answer`: by the table in force. This and the next function require that it is not full.
  void NoteJudged(const ClassifyQuery& query, const Classification& answer, FlowName flow) {
    const bool allowed = !IsDenied(answer);
    // A flow's packets are reported when they are folded.
    const std::uint64_t packets = flow.is_flow() && allowed ? 0 : 1;
    Note(query, {RuleOf(answer.egress, allowed), RuleOf(answer.ingress, allowed), allowed, 1, packets, flow});
  }
  // Notes the packets that a flow counted: these rules allow it, and the tables differ about it.
  void NotePackets(const ClassifyQuery& query, RuleId egress_rule, RuleId ingress_rule, std::uint64_t packets) {
    Note(query, {egress_rule, ingress_rule, true, 0, packets, {}});
  }
  bool Differs(Family family, std::uint32_t flow) const {
    const std::vector<std::uint64_t>& words = differs_[family == Family::kIpv6];
    return (words[flow / 64] >> (flow % 64) & 1) != 0;
  }
  // Judges what was noted since the last Flush. `table` must have a staged table.
  void Flush(const Table& table, std::uint64_t now_ns, const NamesNow& names = {});
  bool IsFull() const { return count_ == queries_.size(); }
  bool IsEmpty() const { return count_ == 0; }
  void Turn() { halves_.Turn(); }

  // For the reader, as in TwoHalves: visit(Half&) gets the half that the worker has left.
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
  // For denied traffic, the rule that denies.
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
  std::array<std::vector<std::uint64_t>, 2> differs_;  // one bit per flow, by family: the tables differ about it
  std::array<ClassifyQuery, Classifier::kMaxBurst> queries_;
  std::array<Noted, Classifier::kMaxBurst> noted_;
  std::array<Classification, Classifier::kMaxBurst> answers_;
  std::size_t count_ = 0;
  TwoHalves<Half> halves_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGED_JUDGE_H_
