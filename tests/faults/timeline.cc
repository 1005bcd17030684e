#include "faults/timeline.h"

#include <utility>

namespace sluice {

bool Timeline::Allowed(const Passage& passage) const {
  for (std::size_t i = edits_.size(); i-- > 0;) {
    const Edit& edit = edits_[i];
    if (edit.begun > passage.came) continue;
    if (edit.verdicts.empty() || edit.verdicts[passage.kind]) return true;
    if (edit.acknowledged && *edit.acknowledged < passage.sent) return false;
  }
  return false;
}

Timeline::Findings Timeline::Judge(const std::vector<ProbeKind>& kinds) {
  std::vector<Passage> passages;
  {
    const std::lock_guard lock(mutex_);
    passages = std::exchange(passages_, {});
  }
  Findings findings;
  findings.passed = passages.size();
  for (const Passage& passage : passages) {
    if (Allowed(passage)) continue;
    if (findings.denied++ > 0) continue;
    const ProbeKind& kind = kinds[passage.kind];
    std::size_t begun = 0;
    while (begun + 1 < edits_.size() && edits_[begun + 1].begun <= passage.came) ++begun;
    const auto ms = [&](ProbeClock::time_point from, ProbeClock::time_point to) {
      return std::to_string(std::chrono::duration<double, std::milli>(to - from).count()) + " ms";
    };
    findings.first = kind.source.ToString() + " -> " + kind.destination.ToString() + " udp " +
                     std::to_string(kind.port) + ", sent " + ms(edits_[begun].begun, passage.sent) + " after edit " +
                     std::to_string(begun) + " was begun";
    if (edits_[begun].acknowledged) {
      findings.first += " and " + ms(*edits_[begun].acknowledged, passage.sent) + " after it was acknowledged";
    }
  }
  return findings;
}

}  // namespace sluice
