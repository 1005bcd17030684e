// The flows of one dataplane at one moment, from the answer of ListFlows. The workloads of their ends are numbers. Used
// by one thread.
#ifndef SLUICE_PROGRAMS_PAGE_FLOW_SAMPLE_H_
#define SLUICE_PROGRAMS_PAGE_FLOW_SAMPLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "page/flow_map.h"
#include "sluice/v1/observe.pb.h"

namespace sluice {

class FlowSample {
 public:
  // Returns the end for a pod's "namespace/name"; empty: outside of all pods.
  using EndOf = std::function<MapEnd(const std::string& pod)>;
  explicit FlowSample(EndOf end_of);

  // Takes a message of the answer: samples, or flows if the dataplane knows no samples. False: the message contradicts
  // itself, and nothing that was taken can be used.
  bool Take(const v1::Flow& message);

  const std::vector<MapEnd>& ends() const { return ends_; }
  std::vector<FlowMap::Flow> TakeFlows() { return std::move(flows_); }

 private:
  bool Take(const v1::FlowSamples& samples);
  void TakeWhole(const v1::Flow& flow);
  std::uint32_t NumberOf(const std::string& pod);

  const EndOf end_of_;
  std::vector<MapEnd> ends_;
  std::map<MapEnd, std::uint32_t> numbers_;               // of ends_
  std::vector<std::uint32_t> pods_;                       // the ends, by the dataplane's numbers of pods
  std::unordered_map<std::string, std::uint32_t> named_;  // ... by the names of pods that come by name
  std::vector<FlowMap::Flow> flows_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_FLOW_SAMPLE_H_
