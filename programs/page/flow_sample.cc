#include "page/flow_sample.h"

#include <algorithm>
#include <string_view>

namespace sluice {
namespace {

std::uint64_t KeyOf(const v1::Flow& flow) {
  std::string key = flow.source();
  key += flow.destination();
  for (const std::uint32_t number : {flow.source_port(), flow.destination_port(), flow.protocol(), flow.worker()}) {
    key.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return std::hash<std::string_view>()(key);
}

}  // namespace

FlowSample::FlowSample(EndOf end_of) : end_of_(std::move(end_of)), pods_{NumberOf("")} {}

std::uint32_t FlowSample::NumberOf(const std::string& pod) {
  MapEnd end = end_of_(pod);
  const auto [known, is_new] = numbers_.try_emplace(end, static_cast<std::uint32_t>(ends_.size()));
  if (is_new) ends_.push_back(std::move(end));
  return known->second;
}

bool FlowSample::Take(const v1::Flow& message) {
  if (message.has_samples()) return Take(message.samples());
  if (message.flows().empty()) TakeWhole(message);
  for (const v1::Flow& flow : message.flows()) TakeWhole(flow);
  return true;
}

bool FlowSample::Take(const v1::FlowSamples& samples) {
  for (const std::string& pod : samples.pods()) pods_.push_back(NumberOf(pod));
  const int count = samples.keys_size();
  const bool is_even = samples.sources_size() == count && samples.destinations_size() == count &&
                       samples.packets_size() == count && samples.bytes_size() == count;
  const auto is_known = [&](std::uint32_t pod) { return pod < pods_.size(); };
  const auto are_known = [&](const auto& list) { return std::all_of(list.begin(), list.end(), is_known); };
  if (!is_even || !are_known(samples.sources()) || !are_known(samples.destinations())) return false;
  for (int i = 0; i < count; ++i) {
    flows_.push_back({samples.keys(i), samples.packets(i), samples.bytes(i), pods_[samples.sources(i)],
                      pods_[samples.destinations(i)]});
  }
  return true;
}

void FlowSample::TakeWhole(const v1::Flow& flow) {
  if (flow.state() == "CUT") return;  // policy denies it: its packets are counted as denials
  const auto number_of = [&](const std::string& pod) {
    const auto [known, is_new] = named_.try_emplace(pod, 0);
    if (is_new) known->second = NumberOf(pod);
    return known->second;
  };
  const std::uint32_t source = number_of(flow.source_pod());
  const std::uint32_t destination = number_of(flow.destination_pod());
  flows_.push_back({KeyOf(flow), flow.packets(), flow.bytes(), source, destination});
}

}  // namespace sluice
