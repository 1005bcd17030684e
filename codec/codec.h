// Converts between resolved policy and the messages that carry it. Pure functions; any thread.
#ifndef SLUICE_CODEC_CODEC_H_
#define SLUICE_CODEC_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "sluice/v1/policy.pb.h"

namespace sluice {

// Cuts a full state into messages of about `chunk_bytes` each and hands them over in order; the last has `last` set. An
// empty policy is one message, and an object is never cut: a message may be longer by one object. Stops early,
// returning false, when `send` returns false.
bool EncodeFullState(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch, std::size_t chunk_bytes,
                     const std::function<bool(const v1::FullStateChunk&)>& send);

// Returns a refusal of an object that no message of `most_bytes` could carry, or nothing. It blames the policy, if the
// object is the policy's sections or a group that the policy names as peers.
std::optional<Diagnostic> FindTooLarge(const ResolvedPolicy& policy, std::size_t most_bytes);

// Puts a full state together again, chunk by chunk.
class FullStateDecoder {
 public:
  // Returns what is wrong with the chunk, naming object and field; the decoder is useless afterwards. It checks numbers
  // and texts: unknown groups and sets, addresses and prefixes of wrong length, enums unknown to this version, and that
  // all chunks belong to one state and batch.
  std::optional<Diagnostic> Add(const v1::FullStateChunk& chunk);
  bool complete() const { return complete_; }
  // Requires complete().
  ResolvedPolicy Take() { return std::move(policy_); }

 private:
  std::optional<Diagnostic> AddEndpoint(const v1::Endpoint& message);
  std::optional<Diagnostic> Finish();

  ResolvedPolicy policy_;
  std::uint64_t state_id_ = 0;
  std::uint64_t batch_ = 0;
  std::unordered_map<std::string, NodeId> node_ids_;
  std::unordered_set<std::string> policies_;          // whose sections came
  std::vector<IdSetId> member_sets_ = {kEmptyIdSet};  // by the sender's number
  bool started_ = false;
  bool complete_ = false;
};

v1::Update EncodeUpdate(const PolicyUpdate& update, std::uint64_t state_id, std::uint64_t batch);

// Fills `update`, or returns what is wrong with the message. Check (policy_update.h) then says whether the
// numbers fit the state in force.
std::optional<Diagnostic> DecodeUpdate(const v1::Update& message, PolicyUpdate& update);

// Texts whose length the sender decides are cut (sluice/printable.h).
v1::Problem EncodeProblem(const Diagnostic& diagnostic);
Diagnostic DecodeProblem(const v1::Problem& problem);

std::string EncodeAddress(const IpAddress& address);  // 4 or 16 bytes in network order
std::optional<IpAddress> DecodeAddress(std::string_view bytes);

}  // namespace sluice

#endif  // SLUICE_CODEC_CODEC_H_
