// Pushed policy as the records of a state file: first the PushRequests of a full state, then those of each update.
//
// Use it within one thread.
#ifndef SLUICE_DATAPLANE_API_POLICY_RECORDS_H_
#define SLUICE_DATAPLANE_API_POLICY_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/codec.h"
#include "keep/state_file.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "store/policy_intake.h"

namespace sluice {

struct SavedState {
  ResolvedPolicy policy;
  std::uint64_t state_id = 0;
  std::uint64_t batch = 0;
};

class PolicyRecordReader final : public StateReader {
 public:
  std::optional<std::string> Add(std::string_view record) override;
  bool complete() const override { return decoder_.complete(); }
  std::vector<std::string> Fold() const override;

  // Call it once complete() is true.
  SavedState Take() { return std::move(saved_); }

 private:
  std::optional<Diagnostic> Follow(const v1::PushRequest& request);

  FullStateDecoder decoder_;
  SavedState saved_;
  UpdateIndex index_;  // of the policy
};

// Returns a full state as records; none if a record would be too large to be read again.
std::vector<std::string> EncodeRecords(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch);

// Returns why the record of `object` could not be read again from a state file, or nothing.
std::optional<Diagnostic> CheckRecord(std::string object, const std::string& record);

// Puts the pushed policy in the intake's state file into force. Returns nothing on success or if there was none, else
// the reason.
std::optional<std::string> LoadState(PolicyIntake& intake);

// Settings for a state file in these folders that holds pushed policy.
StateSettings PolicyStateSettings(std::string folder, std::string run_folder);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_POLICY_RECORDS_H_
