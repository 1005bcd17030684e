// A message that is too large to be sent at once, in pieces. Within one thread.
#ifndef SLUICE_CODEC_PARTS_H_
#define SLUICE_CODEC_PARTS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "sluice/v1/policy.pb.h"

namespace sluice {

// Cuts a serialized message into pieces and hands them over in order. Stops early, returning false, when `send` returns
// false.
bool SendInParts(std::string_view message, const std::function<bool(const v1::Part&)>& send);

// Puts pieces together.
class PartGatherer {
 public:
  // False: the pieces together have more than kMaxGatheredBytes (limits.h). The gatherer has dropped them.
  bool Add(const v1::Part& part);

  // All pieces of a message have come.
  bool complete() const { return complete_; }
  // Some pieces came, and more must come.
  bool under_way() const { return under_way_; }
  // Returns the message. Requires complete(). The next piece begins another message.
  std::string Take();
  void Forget();

 private:
  std::string message_;
  bool complete_ = false;
  bool under_way_ = false;
};

}  // namespace sluice

#endif  // SLUICE_CODEC_PARTS_H_
