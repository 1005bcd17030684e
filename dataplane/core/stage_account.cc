#include "core/stage_account.h"

namespace sluice {

void RuleAccount::Reserve(const Table& table) {
  const std::uint32_t current = current_.load(std::memory_order_acquire);
  const std::uint64_t epoch = counters_[current].epoch();
  const bool same = epoch == table.epoch() || epoch == 0;
  counters_[same ? current : current ^ 1].Reserve(table.rule_limit());
}

RuleCount RuleAccount::CountOf(std::uint64_t epoch, RuleId rule) const {
  for (const RuleCounters& counters : counters_) {
    if (counters.epoch() == epoch) return counters.Get(epoch, rule);
  }
  return {};
}

void RuleAccount::Begin(const Table& table) {
  const std::uint64_t generation = table.generation();
  if (epoch() != table.epoch()) {
    if (epoch() != 0) {
      first_generation_before_ = BeginsAnew(table) ? generation : first_generation();
      current_.store(current_ ^ 1, std::memory_order_release);
    }
    Current().Begin(table.epoch());
    first_generation_.store(generation, std::memory_order_relaxed);
  }
  // Stored before this generation judges any flow: a reader that sees such a flow also sees the generation.
  generation_.store(generation, std::memory_order_release);
  Current().Reserve(table.rule_limit());
}

}  // namespace sluice
