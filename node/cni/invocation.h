// How a runtime calls a CNI plugin (github.com/containernetworking/cni, SPEC.md, versions 0.3.1 to 1.1.0): a command
// and parameters in the environment, the network configuration on standard input. Pure.
#ifndef SLUICE_NODE_CNI_INVOCATION_H_
#define SLUICE_NODE_CNI_INVOCATION_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cni/attachment.h"

namespace sluice {

inline constexpr std::array<std::string_view, 4> kCniVersions = {"0.3.1", "0.4.0", "1.0.0", "1.1.0"};

// SPEC.md, "Error": the codes that we return.
enum class CniCode : std::uint8_t {
  kIncompatibleVersion = 1,
  kInvalidEnvironment = 4,
  kIo = 5,
  kNotDecoded = 6,
  kInvalidConfiguration = 7,
  kTryAgainLater = 11,
  kNotAvailable = 50,
};

struct CniError {
  CniCode code = CniCode::kIo;
  std::string message;
  std::string details = {};
};

enum class CniCommand : std::uint8_t { kAdd, kDelete, kCheck, kCollect, kStatus, kVersion };

// CNI_COMMAND and the variables that come with it.
struct CniEnvironment {
  std::optional<std::string> command;
  std::optional<std::string> container;
  std::optional<std::string> netns;
  std::optional<std::string> interface;
  std::string arguments;

  static CniEnvironment Read();
};

struct CniInvocation {
  CniCommand command = CniCommand::kVersion;
  std::string version;              // the configuration's, one of kCniVersions
  nlohmann::ordered_json previous;  // prevResult; null if there is none
  Attachment attachment;            // for kAdd, kDelete, kCheck; with the addresses of prevResult
  std::vector<std::string> hosts;   // interfaces of the host that prevResult names
  std::set<AttachmentKey> valid;    // for kCollect: cni.dev/valid-attachments
  std::string socket;               // from the configuration; else kDefaultPluginSocket
  std::string bpffs;                // from the configuration; else /sys/fs/bpf
};

// Reads only the command.
std::variant<CniCommand, CniError> ReadCommand(const CniEnvironment& environment);
// Requires a command other than kVersion.
std::variant<CniInvocation, CniError> ReadInvocation(const CniEnvironment& environment, const std::string& input);

// The version that an answer to `input` names: the version in the input if it is a text, else the newest one.
std::string VersionOf(const std::string& input);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_INVOCATION_H_
