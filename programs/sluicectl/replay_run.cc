#include "sluicectl/replay_run.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr std::uint32_t kFlowsSweptAPacket = 64;

// The packet's number travels through the pipeline as the frame's handle.
void* ToHandle(std::uint64_t number) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number)); }
std::uint64_t ToNumber(void* handle) { return reinterpret_cast<std::uintptr_t>(handle); }

}  // namespace

std::variant<std::unique_ptr<ReplayRun>, Diagnostic> ReplayRun::Create(const PipelineConfig& config,
                                                                       std::shared_ptr<const Table> table,
                                                                       CaptureWriter* writer,
                                                                       std::unique_ptr<ReplayNames> names) {
  PipelineConfig repeatable = config;
  if (names != nullptr) {
    repeatable.dns.port = names->port();
    repeatable.learnt_names = &names->learnt();
  }
  if (repeatable.hash_seed == 0)
    repeatable.hash_seed = 1;  // nobody attacks a replay: the same capture gives the same output
  auto pipeline = Pipeline::Create(repeatable);
  if (auto* error = std::get_if<Diagnostic>(&pipeline)) return std::move(*error);
  return std::unique_ptr<ReplayRun>(
      new ReplayRun(std::move(std::get<0>(pipeline)), std::move(table), writer, std::move(names)));
}

ReplayRun::ReplayRun(std::unique_ptr<Pipeline> pipeline, std::shared_ptr<const Table> table, CaptureWriter* writer,
                     std::unique_ptr<ReplayNames> names)
    : names_(std::move(names)), pipeline_(std::move(pipeline)), table_(std::move(table)), writer_(writer) {
  output_.outcomes = &outcomes_;
  if (names_ != nullptr) names_->Listen(*pipeline_->dns_tap());
}

void ReplayRun::Take(const CapturedFrame& captured) {
  now_ns_ = std::max(now_ns_, captured.time_ns);
  pipeline_->Housekeep(*table_, now_ns_, kFlowsSweptAPacket, output_);
  Collect();
  const std::uint64_t number = taken_++;
  fates_.emplace_back();
  std::vector<std::uint8_t>& bytes = bytes_[number] = captured.bytes;
  Frame frame;
  frame.data = bytes.data();
  frame.length = static_cast<std::uint32_t>(bytes.size());
  frame.frame_length = captured.frame_length;
  frame.handle = ToHandle(number);
  pipeline_->Process(*table_, now_ns_, {&frame, 1}, output_);
  if (names_ != nullptr) {
    names_->Turn();
    pipeline_->ReleaseAnswers(*table_, now_ns_, output_);
  }
  Collect();
}

void ReplayRun::End() {
  pipeline_->Finish(output_);
  Collect();
}

std::optional<Outcome> ReplayRun::NextOutcome() {
  if (fates_.empty() || !fates_.front()) return std::nullopt;
  const Outcome outcome = *fates_.front();
  fates_.pop_front();
  ++given_;
  return outcome;
}

void ReplayRun::Collect() {
  for (const Outcome& outcome : outcomes_) fates_[ToNumber(outcome.handle) - given_] = outcome;
  for (const Frame& frame : output_.forward) {
    if (writer_ != nullptr) writer_->Write(now_ns_, {frame.data, frame.length}, frame.frame_length);
    bytes_.erase(ToNumber(frame.handle));
  }
  for (const Frame& frame : output_.drop) bytes_.erase(ToNumber(frame.handle));
  for (const MadeFrame& frame : output_.made) {
    if (writer_ != nullptr) writer_->Write(now_ns_, {frame.bytes, frame.length}, frame.length);
  }
  output_.Clear();
}

}  // namespace sluice
