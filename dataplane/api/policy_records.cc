#include "api/policy_records.h"

#include <memory>
#include <utility>
#include <variant>

#include "api/limits.h"
#include "sluice/log_text.h"

namespace sluice {
namespace {

// A number that came in five bytes may take ten here. No field grows more than that.
static_assert(2 * kMaxGatheredBytes <= kMaxRecordBytes);

Diagnostic Wrong(std::string message) {
  Diagnostic diagnostic;
  diagnostic.message = std::move(message);
  return diagnostic;
}

}  // namespace

std::optional<std::string> LoadState(PolicyIntake& intake) {
  PolicyRecordReader reader;
  auto loaded = intake.LoadKept(reader);
  if (auto* error = std::get_if<std::string>(&loaded)) return std::move(*error);
  if (!std::get<bool>(loaded)) return std::nullopt;
  SavedState saved = reader.Take();
  const auto refused = intake.Restore(std::move(saved.policy), saved.state_id, saved.batch);
  if (refused) return "the state file's policy is refused: " + LogText(*refused);
  return std::nullopt;
}

StateSettings PolicyStateSettings(std::string folder, std::string run_folder) {
  return {std::move(folder), std::move(run_folder), "sluice policy 1\n",
          [] { return std::make_unique<PolicyRecordReader>(); }};
}

std::optional<Diagnostic> CheckRecord(std::string object, const std::string& record) {
  if (record.size() <= kMaxRecordBytes) return std::nullopt;
  Diagnostic diagnostic =
      Wrong("a message takes " + std::to_string(record.size()) + " bytes once it is encoded as it is kept, more than " +
            std::to_string(kMaxRecordBytes) + "; send it in smaller parts");
  diagnostic.object = std::move(object);
  return diagnostic;
}

std::optional<std::string> PolicyRecordReader::Add(std::string_view record) {
  v1::PushRequest request;
  if (!request.ParseFromArray(record.data(), static_cast<int>(record.size()))) return "a record that is no message";
  const auto refused = Follow(request);
  return refused ? std::optional(LogText(*refused)) : std::nullopt;
}

std::optional<Diagnostic> PolicyRecordReader::Follow(const v1::PushRequest& request) {
  if (request.has_full_state()) {
    saved_.state_id = request.full_state().state_id();
    saved_.batch = request.full_state().batch();
    if (auto error = decoder_.Add(request.full_state())) return error;
    if (!decoder_.complete()) return std::nullopt;
    saved_.policy = decoder_.Take();
    index_ = UpdateIndex(saved_.policy);
    return std::nullopt;
  }
  if (!request.has_update() || !decoder_.complete()) return Wrong("an update stands before the full state's end");
  const v1::Update& message = request.update();
  if (message.state_id() != saved_.state_id || message.batch() != saved_.batch + 1) {
    return Wrong("batch " + std::to_string(message.batch()) + " follows batch " + std::to_string(saved_.batch));
  }
  PolicyUpdate update;
  if (auto error = DecodeUpdate(message, update)) return error;
  if (auto error = Check(saved_.policy, update, &index_)) return error;
  index_.Follow(Apply(std::move(update), saved_.policy, &index_), saved_.policy);
  saved_.batch = message.batch();
  return std::nullopt;
}

std::vector<std::string> PolicyRecordReader::Fold() const {
  return EncodeRecords(saved_.policy, saved_.state_id, saved_.batch);
}

std::vector<std::string> EncodeRecords(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch) {
  std::vector<std::string> records;
  const auto add = [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest record;
    *record.mutable_full_state() = chunk;
    records.push_back(record.SerializeAsString());
    return records.back().size() <= kMaxRecordBytes;
  };
  if (!EncodeFullState(policy, state_id, batch, kChunkBytes, add)) records.clear();
  return records;
}

}  // namespace sluice
