// Any condition on any line of a flow log: it ends, says why a value is none, and a condition that is negated holds
// where it does not hold as it is.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/fuzz.h"
#include "observe/flow_log_filter.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// "NAME VALUE", and the line below it.
void Check(const std::string& text) {
  const std::size_t space = text.find(' ');
  const std::size_t end = text.find('\n');
  if (space == text.npos || end == text.npos || space > end) return;
  const std::string name = text.substr(0, space), value = text.substr(space + 1, end - space - 1);
  bool known = false;
  for (const FlowLogFilter::Condition& condition : FlowLogFilter::Conditions()) known = known || condition.name == name;
  if (!known) return;
  FlowLogFilter wanted, unwanted, both;
  const auto error = wanted.Add(name, value, false);
  const auto negated = unwanted.Add(name, value, true);
  Require(error == negated);
  if (error) return Require(!error->empty());
  both.Add(name, value, false);
  both.Add(name, value, true);
  const auto line = FlowLogFilter::Json::parse(text.substr(end + 1), nullptr, false);
  if (!line.is_object()) return;
  Require(FlowLogFilter().Matches(line));
  Require(wanted.Matches(line) != unwanted.Matches(line));
  Require(!both.Matches(line));
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  const std::string line =
      R"({"time":"2026-11-30T03:25:27.123Z","type":"end","src":{"address":"10.0.0.1","port":1000,)"
      R"("namespace":"shop","pod":"web-0"},"dst":{"address":"fd00::2","port":53},"proto":"udp","verdict":"forward","reason":"flow_cut",)"
      R"("egress":{"verdict":"allow","policy":"shop/dns","rule":0},"cause":"expired"})";
  std::vector<std::vector<std::uint8_t>> seeds;
  for (const char* condition :
       {"pod shop/web-0", "from-pod web-0", "to-pod a/b", "namespace shop", "from-namespace x", "to-namespace dns",
        "address 10.0.0.0/8", "from-address fd00::/16", "to-address fd00::2", "port 53", "proto udp", "proto 17",
        "verdict forward", "reason flow_cut", "policy shop/dns", "cause expired", "type end"}) {
    const std::string text = std::string(condition) + '\n' + line;
    seeds.emplace_back(text.begin(), text.end());
  }
  return seeds;
}
