// The input of every offline command: manifests, and the words for an end or a protocol.
#ifndef SLUICE_PROGRAMS_SLUICECTL_INPUT_H_
#define SLUICE_PROGRAMS_SLUICECTL_INPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "model/objects.h"
#include "sluice/address.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"
#include "table/compile.h"
#include "table/table.h"

namespace sluice {

struct Config;

// Reports one line on standard error.
void Report(const Diagnostic& diagnostic);
void Report(const Diagnostics& diagnostics);
// Reports the first ones if there are many: `more` says where to find the others.
void ReportWarnings(Diagnostics warnings, const std::string& more);

struct LoadedManifests {
  Cluster cluster;
  bool good = true;  // false: something was refused; `cluster` has the rest
};
// Reads files and folders, and reports what is wrong or worth a note.
LoadedManifests LoadManifests(const std::vector<std::string>& paths);
// The same, but also warns of what the manifests say that nothing answers to (LintScope::kUnanswered), and if they
// contain no Pod.
LoadedManifests LoadManifestsAndWarn(const std::vector<std::string>& paths);

// Reads sluiced's configuration from a file, or the default if `path` is empty. False: it failed, and said why.
bool LoadConfig(const std::string& path, Config* config);

struct CompiledPolicy {
  ResolvedPolicy resolved;
  std::unique_ptr<Compiler> compiler;
  std::shared_ptr<const Table> table;  // null: it was refused, which was reported
};
CompiledPolicy CompilePolicy(const Cluster& cluster, CompileLimits limits = {});

// Finds pods by "namespace/name". Refers to the cluster.
class PodDirectory {
 public:
  explicit PodDirectory(const Cluster& cluster) : cluster_(cluster) {}
  const Pod* Find(std::string_view path) const;

 private:
  const Cluster& cluster_;
  mutable std::unordered_map<std::string, const Pod*> pods_;  // filled by the first question
};

struct Ends {
  IpAddress source;
  IpAddress destination;
};
// What is wrong with one end.
struct EndError {
  bool is_source = true;
  std::string message;
};
// Each text is an address or "namespace/pod". The latter means that pod's first address of a family that both ends
// have.
std::variant<Ends, EndError> ParseEnds(std::string_view source, std::string_view destination, const PodDirectory& pods);

// Whether the pod ("namespace/pod") has no right to send a packet with this source at its interface; or what is wrong
// with the name.
std::variant<bool, std::string> IsForeign(const IpAddress& source, std::string_view pod, const PodDirectory& pods);

// Parses "tcp", "udp", "sctp", "icmp", "icmpv6" in either case, or a number from 0 to 255.
std::optional<std::uint8_t> ParseProtocol(std::string_view text);
inline constexpr std::string_view kProtocolForms = "tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255";

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_INPUT_H_
