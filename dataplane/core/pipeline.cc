#include "core/pipeline.h"

#include <algorithm>
#include <random>
#include <utility>

#include "core/parse.h"
#include "core/stage_find.h"

namespace sluice {
namespace {

std::uint64_t RandomSeed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Pipeline::Pipeline(const PipelineConfig& config)
    : parse_(config.parse),
      keeper_(config, counters_),
      read_(config),
      judge_(config, keeper_, counters_),
      emit_(keeper_, read_, counters_),
      dns_(config, keeper_, judge_, counters_) {}

Pipeline::~Pipeline() = default;

std::variant<std::unique_ptr<Pipeline>, Diagnostic> Pipeline::Create(const PipelineConfig& config,
                                                                     const FlowMemory& memory) {
  PipelineConfig seeded = config;
  if (seeded.hash_seed == 0) seeded.hash_seed = RandomSeed();
  std::unique_ptr<Pipeline> pipeline(new Pipeline(seeded));
  if (auto error = pipeline->keeper_.Allocate(seeded, memory)) return std::move(*error);
  return pipeline;
}

void Pipeline::Process(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out) {
  while (!frames.empty()) {
    const auto burst = frames.first(std::min<std::size_t>(frames.size(), kMaxBurst));
    frames = frames.subspan(burst.size());
    if (ProcessBurst(table, now_ns, burst, out)) out.forward.insert(out.forward.end(), burst.begin(), burst.end());
  }
}

bool Pipeline::ProcessBurst(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames,
                            PipelineOutput& out) {
  keeper_.BeginRound(table, now_ns);
  emit_.TurnCapture();
  if (read_.HoldsFragments()) [[unlikely]] {
    read_.BeginGathering({}, keeper_);
    RunGatheredBursts(out);
  }
  if (read_.ReadPlain(frames, keeper_, Tells(out), burst_)) [[likely]]
    return RunStages(out);
  read_.BeginGathering(frames, keeper_);
  RunGatheredBursts(out);
  return false;
}

// Runs the other stages on a burst that was read. Returns true if all of it is forwarded; then `out` does not have it.
bool Pipeline::RunStages(PipelineOutput& out) {
  FindFlows(keeper_, burst_);
  if (burst_.miss_count != 0) judge_.JudgeMisses(burst_, out.made);
  if (burst_.watched != 0) [[unlikely]]
    dns_.MeetWatched(burst_, out);
  return emit_.EmitFates(burst_, out);
}

void Pipeline::RunGatheredBursts(PipelineOutput& out) {
  while (read_.Gather(keeper_, Tells(out), burst_)) {
    if (RunStages(out)) out.forward.insert(out.forward.end(), burst_.frames, burst_.frames + burst_.count);
  }
}

bool Pipeline::Housekeep(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out) {
  keeper_.BeginRound(table, now_ns);
  read_.BeginGathering({}, keeper_);
  RunGatheredBursts(out);
  if (emit_.denies() != nullptr) emit_.denies()->Turn();
  dns_.Turn();
  emit_.TurnCapture();
  keeper_.JudgeIdle(entries);
  const bool came_round = keeper_.Sweep(entries);
  keeper_.FlushStaged();
  keeper_.TurnStaged();
  return came_round;
}

void Pipeline::CatchUp(const Table& table, std::uint64_t now_ns, std::uint32_t entries) {
  keeper_.BeginRound(table, now_ns);
  keeper_.JudgeIdle(entries);
  keeper_.FlushStaged();
}

void Pipeline::Deliver(const Table& table, std::uint64_t now_ns) {
  keeper_.BeginRound(table, now_ns);
  emit_.TurnCapture();
  keeper_.HoldCarrying(emit_.CapturesForwarded());
  mailbox_.Deliver(keeper_);
  keeper_.FlushStaged();
}

void Pipeline::ReleaseAnswers(const Table& table, std::uint64_t now_ns, PipelineOutput& out) {
  keeper_.BeginRound(table, now_ns);
  const std::size_t dropped = out.drop.size();
  dns_.Release(out);
  keeper_.FlushStaged();
  if (!drop_ring().Watches(DropReason::kFlowCut)) return;
  for (std::size_t i = dropped; i < out.drop.size(); ++i) RecordLost(out.drop[i], DropReason::kFlowCut);
}

void Pipeline::Finish(PipelineOutput& out) {
  dns_.ReleaseAll(out);
  read_.BeginClearing();
  RunGatheredBursts(out);
  keeper_.FoldAll();
  keeper_.FlushStaged();
}

void Pipeline::RecordLost(const Frame& frame, DropReason reason) {
  ParsedPacket packet;
  Parse(frame, parse_, packet);
  emit_.RecordLost(frame, packet, reason);
}

}  // namespace sluice
