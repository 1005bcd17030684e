// One question, two engines: the compiled table through the Classifier that filters packets, or the reference.
#ifndef SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_
#define SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/pipeline_config.h"
#include "reference/evaluate.h"
#include "sluice/drop_reason.h"
#include "sluice/policy_terms.h"
#include "sluicectl/decision.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

// What the filter does with the first packet of a connection.
struct FlowAnswer {
  bool allow = true;                      // policy allows it, and nothing beside policy drops it
  DropReason reason = DropReason::kNone;  // what it is dropped for beside policy
  SideAnswer egress;
  SideAnswer ingress;
  Exemption exemption = Exemption::kNone;

  friend bool operator==(const FlowAnswer&, const FlowAnswer&) = default;
};

// `sections`: as Classification has them.
SideAnswer ToAnswer(const Table& table, const Decision& decision, IdSetId sections);

// "allow; egress: allow shop/web egress[0]; ingress: deny shop/db ingress default".
std::string ToText(const FlowAnswer& answer);

class Judge {
 public:
  static constexpr std::size_t kMaxBurst = Classifier::kMaxBurst;

  virtual ~Judge() = default;
  // Fills answers[i] from flows[i]; at most kMaxBurst. Texts in the answers live until the next call.
  virtual void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) = 0;
};

class CompiledJudge : public Judge {
 public:
  // `config`: what the filter does beside policy.
  CompiledJudge(std::shared_ptr<const Table> table, bool exemptions, const PipelineConfig& config = {})
      : table_(std::move(table)), exemptions_(exemptions), config_(config) {}
  void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) override;

 private:
  std::shared_ptr<const Table> table_;
  bool exemptions_;
  PipelineConfig config_;
  Classifier classifier_;
};

class ReferenceJudge : public Judge {
 public:
  ReferenceJudge(const Cluster& cluster, bool exemptions, const PipelineConfig& config = {})
      : evaluator_(cluster), exemptions_(exemptions), config_(config) {}
  void Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) override;

 private:
  reference::Evaluator evaluator_;
  bool exemptions_;
  PipelineConfig config_;
  std::array<reference::Answer, kMaxBurst> held_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_JUDGE_H_
