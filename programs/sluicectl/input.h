// What every offline command reads: manifests, and the words by which people name an end or a protocol.
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

// A line each on standard error.
void Report(const Diagnostic& diagnostic);
void Report(const Diagnostics& diagnostics);
// Of many, the first: `more` says where to find the others.
void ReportWarnings(Diagnostics warnings, const std::string& more);

struct LoadedManifests {
  Cluster cluster;
  bool good = true;  // false: something was refused; the remainder is in `cluster`
};
// Reads files and folders and reports what is wrong or worth a note.
LoadedManifests LoadManifests(const std::vector<std::string>& paths);
// Besides, warns of what the manifests say that nothing answers to (LintScope::kUnanswered), and where they hold no
// Pod.
LoadedManifests LoadManifestsAndWarn(const std::vector<std::string>& paths);

// sluiced's configuration from a file, or as it is by default where `path` is empty. False: it was reported why not.
bool LoadConfig(const std::string& path, Config* config);

struct CompiledPolicy {
  ResolvedPolicy resolved;
  std::unique_ptr<Compiler> compiler;
  std::shared_ptr<const Table> table;  // null: refused, and reported
};
CompiledPolicy CompilePolicy(const Cluster& cluster, CompileLimits limits = {});

// The pods by "namespace/name". Refers to the cluster.
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
// Each text is an address or "namespace/pod", which stands for that pod's first address of a family that both ends
// have.
std::variant<Ends, EndError> ParseEnds(std::string_view source, std::string_view destination, const PodDirectory& pods);

// Whether a packet of this source, at the interface of that pod ("namespace/pod"), is one that the pod has no right to
// send; or what is wrong with the name.
std::variant<bool, std::string> IsForeign(const IpAddress& source, std::string_view pod, const PodDirectory& pods);

// "tcp", "udp", "sctp", "icmp", "icmpv6" in either case, or a number from 0 to 255.
std::optional<std::uint8_t> ParseProtocol(std::string_view text);
inline constexpr std::string_view kProtocolForms = "tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255";

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_INPUT_H_
