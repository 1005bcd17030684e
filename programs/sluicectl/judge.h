// One question, two engines: the compiled table, through the Classifier that filters packets, or the reference.
#ifndef SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_
#define SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/pipeline_config.h"
#include "reference/evaluate.h"
#include "sluice/policy_terms.h"
#include "sluicectl/decision.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

// The filter's settings apart from policy.
struct FilterSettings {
  PipelineConfig pipeline = {};
  bool has_hooks = false;  // it stands at a node's hooks, which check pods' interfaces first
};
FilterSettings SettingsOf(const Config& config);

// What the filter does with the first packet of a connection.
struct FlowAnswer {
  bool allow = true;             // policy allows it, and nothing else drops it
  std::string_view reason = {};  // what drops it apart from policy, as core/first_packet.h names it
  SideAnswer egress;
  SideAnswer ingress;
  Exemption exemption = Exemption::kNone;

  friend bool operator==(const FlowAnswer&, const FlowAnswer&) = default;
};

// `sections`: as in Classification.
SideAnswer ToAnswer(const Table& table, const Decision& decision, IdSetId sections);

// Whether the packet goes from a pod to an address of a node.
bool IsFromPodToNode(const Table& table, const IpAddress& source, const IpAddress& destination);

// "allow; egress: allow shop/web egress[0]; ingress: deny shop/db ingress default".
std::string ToText(const FlowAnswer& answer);

class Judge {
 public:
  static constexpr std::size_t kMaxBurst = Classifier::kMaxBurst;

  virtual ~Judge() = default;
  // Fills answers[i] from flows[i]; at most kMaxBurst. The answers' texts live until the next call.
  virtual void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) = 0;
};

class CompiledJudge : public Judge {
 public:
  // `names` refers to an object that outlives the judge.
  CompiledJudge(std::shared_ptr<const Table> table, bool exemptions, const FilterSettings& settings = {},
                const NamesNow& names = {})
      : table_(std::move(table)), exemptions_(exemptions), settings_(settings), names_(names) {}
  void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) override;

 private:
  std::shared_ptr<const Table> table_;
  bool exemptions_;
  FilterSettings settings_;
  NamesNow names_;
  Classifier classifier_;
};

class ReferenceJudge : public Judge {
 public:
  ReferenceJudge(const Cluster& cluster, bool exemptions, const FilterSettings& settings = {},
                 reference::NamesByAddress names = {})
      : evaluator_(cluster, std::move(names)), exemptions_(exemptions), settings_(settings) {}
  void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) override;

 private:
  reference::Evaluator evaluator_;
  bool exemptions_;
  FilterSettings settings_;
  std::array<reference::Answer, kMaxBurst> held_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_
