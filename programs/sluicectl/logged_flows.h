// Connections from lines of a flow log (docs/flow-logs.md), between the pods of today.
//
// A line names the pods that had its addresses then. If such a pod is gone, another pod of its workload stands for it.
// If nothing of the workload runs any more, the line is left out and counted.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LOGGED_FLOWS_H_
#define SLUICE_PROGRAMS_SLUICECTL_LOGGED_FLOWS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/objects.h"
#include "reference/evaluate.h"

namespace sluice {

class LoggedFlows {
 public:
  using Visit = std::function<void(const reference::Flow&)>;

  // `visit` gets each allowed connection. `cluster` outlives this.
  LoggedFlows(const Cluster& cluster, Visit visit);

  // Takes a line. False: it is no line of a flow log.
  bool Add(std::string_view line);
  // Reads a file, which may be compressed, from `since_ns` on. False: it is wrong, which was reported.
  bool ReadFile(const std::string& path, std::uint64_t since_ns);

  std::uint64_t of_gone_pods() const { return of_gone_pods_; }
  // Lines that the log itself lost.
  std::uint64_t not_logged() const { return not_logged_; }

 private:
  std::optional<IpAddress> AddressOf(const nlohmann::ordered_json& end) const;

  const Visit visit_;
  std::map<std::string, const Pod*> pods_;                               // by "namespace/name"
  std::map<std::pair<std::string, std::string>, const Pod*> workloads_;  // by namespace and workload
  std::map<IpAddress, const Pod*> owners_;
  std::uint64_t of_gone_pods_ = 0;
  std::uint64_t not_logged_ = 0;
  std::uint64_t since_ns_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LOGGED_FLOWS_H_
