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

// SPEC.md, "Error"; those that we give.
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

// CNI_COMMAND and its companions, as the environment has them.
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
  std::string version;              // of the configuration, one of kCniVersions
  nlohmann::ordered_json previous;  // prevResult; null where there is none
  Attachment attachment;            // kAdd, kDelete, kCheck; with the addresses of prevResult
  std::vector<std::string> hosts;   // the host's interfaces that prevResult names
  std::set<AttachmentKey> valid;    // kCollect: cni.dev/valid-attachments
  std::string socket;               // the configuration's; else kDefaultPluginSocket
  std::string bpffs;                // the configuration's; else /sys/fs/bpf
};

// The command; nothing but that is read.
std::variant<CniCommand, CniError> ReadCommand(const CniEnvironment& environment);
// Not of kVersion.
std::variant<CniInvocation, CniError> ReadInvocation(const CniEnvironment& environment, const std::string& input);

// The version that an answer to `input` names: the input's own where it is text, else the newest.
std::string VersionOf(const std::string& input);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_INVOCATION_H_
