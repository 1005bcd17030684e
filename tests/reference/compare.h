// Compiled policy against the reference evaluator, flow by flow, the named rules included.
#ifndef SLUICE_TESTS_REFERENCE_COMPARE_H_
#define SLUICE_TESTS_REFERENCE_COMPARE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/objects.h"
#include "reference/evaluate.h"
#include "table/classify.h"
#include "table/compile.h"
#include "table/table.h"

namespace sluice::test {

// Resolves and compiles. A refusal fails the test and returns the empty table.
std::shared_ptr<const Table> CompileWorld(const Cluster& cluster, Compiler& compiler);

// What the table says of each flow, in the reference's words. Goes through Classifier in bursts.
std::vector<reference::Answer> Classify(const Table& table, Classifier& classifier,
                                        std::span<const reference::Flow> flows, bool exemptions,
                                        const reference::NamesByAddress& names = {});

// Every address that an object of the world names, with the neighbours of each CIDR's ends; sorted, unique.
std::vector<IpAddress> Addresses(const Cluster& cluster);

struct Service {
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  friend auto operator<=>(const Service&, const Service&) = default;
};
// Every protocol and port where some rule of the world may begin or cease to match, both sides of it.
std::vector<Service> Services(const Cluster& cluster);

// All pairs of addresses of one family, each with all services.
std::vector<reference::Flow> AllFlows(const std::vector<IpAddress>& addresses, const std::vector<Service>& services);

// Evaluates all flows both ways, with and without exemptions; says the first flow on which the engines differ with both
// answers, or nothing.
std::optional<std::string> FirstDifference(const Cluster& cluster, const Table& table, Classifier& classifier,
                                           std::span<const reference::Flow> flows,
                                           const reference::NamesByAddress& names = {});

std::string ToText(const reference::Flow& flow);
std::string ToText(const reference::Answer& answer);

}  // namespace sluice::test

#endif  // SLUICE_TESTS_REFERENCE_COMPARE_H_
