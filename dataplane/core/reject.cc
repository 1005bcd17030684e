#include "core/reject.h"

#include <algorithm>

#include "core/make_frame.h"
#include "sluice/protocol.h"

namespace sluice {

bool Rejecter::AppendAnswer(const Frame& frame, const ParsedPacket& packet, bool both, std::uint64_t now_ns,
                            std::vector<MadeFrame>& made) {
  MadeFrame answer;
  if (!MakeReject(frame, packet, answer)) return false;
  if (!TakeToken(now_ns)) {
    counters_.answers_limited.Add(1);
    return false;
  }
  made.push_back(answer);
  counters_.answers.Add(1);
  if (!both || packet.protocol != kProtoTcp) return true;
  if (!MakeTcpReset(frame, packet, AnswerSide::kReceiver, answer)) return true;
  made.push_back(answer);
  counters_.answers.Add(1);
  return true;
}

// Allows as many answers as rejects_per_second, up to a second's worth at once.
bool Rejecter::TakeToken(std::uint64_t now_ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  if (rejects_per_second_ == 0) return false;
  const std::uint64_t price = kSecond / rejects_per_second_;
  credit_ns_ = std::min(kSecond, credit_ns_ + std::min(kSecond, now_ns - credit_time_ns_));
  credit_time_ns_ = now_ns;
  if (credit_ns_ < price) return false;
  credit_ns_ -= price;
  return true;
}

}  // namespace sluice
