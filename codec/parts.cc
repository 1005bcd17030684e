#include "codec/parts.h"

#include <utility>

#include "codec/limits.h"

namespace sluice {

bool SendInParts(std::string_view message, const std::function<bool(const v1::Part&)>& send) {
  v1::Part part;
  do {
    const std::string_view piece = message.substr(0, kPartBytes);
    message.remove_prefix(piece.size());
    part.set_bytes(piece.data(), piece.size());
    part.set_last(message.empty());
    if (!send(part)) return false;
  } while (!message.empty());
  return true;
}

bool PartGatherer::Add(const v1::Part& part) {
  if (complete_) Forget();
  if (part.bytes().size() > kMaxGatheredBytes - message_.size()) {
    Forget();
    return false;
  }
  message_ += part.bytes();
  complete_ = part.last();
  under_way_ = !complete_;
  return true;
}

std::string PartGatherer::Take() {
  std::string message = std::move(message_);
  Forget();
  return message;
}

void PartGatherer::Forget() {
  message_ = {};
  complete_ = under_way_ = false;
}

}  // namespace sluice
