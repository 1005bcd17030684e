// The messages between the CNI plugin and sluice-sync: one each way, in JSON, over a Unix socket that keeps messages
// apart (SOCK_SEQPACKET). Plain values.
#ifndef SLUICE_NODE_CNI_ATTACHMENT_H_
#define SLUICE_NODE_CNI_ATTACHMENT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/address.h"

namespace sluice {

inline constexpr std::string_view kDefaultPluginSocket = "/run/sluice-sync/cni.sock";
inline constexpr std::size_t kMostPluginBytes = std::size_t{1} << 20;  // of a message

// An interface of a container: what CNI calls an attachment.
using AttachmentKey = std::pair<std::string, std::string>;  // container id, interface name

struct Attachment {
  AttachmentKey key;
  std::string namespace_name;
  std::string name;
  std::string uid;  // of the Pod; empty if the runtime does not tell it
  std::vector<IpAddress> addresses;

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

struct PluginRequest {
  enum class Command : std::uint8_t {
    kAdd,      // when this is answered, the pod's policy is in force
    kDelete,   // the attachment is gone
    kCheck,    // is the attachment's pod known by its addresses, and its policy in force?
    kCollect,  // all attachments that are not in `valid` are gone
    kStatus,   // could an attachment be added?
  };

  Command command = Command::kStatus;
  Attachment attachment;
  std::set<AttachmentKey> valid;
  std::chrono::milliseconds wait{0};  // how long the sender waits for the answer

  friend bool operator==(const PluginRequest&, const PluginRequest&) = default;
};

std::string Encode(const PluginRequest& request);
// An error says what is wrong with the text.
std::variant<PluginRequest, std::string> DecodeRequest(std::string_view text);

// Empty `error`: success. Otherwise the reason for failure.
std::string EncodeAnswer(const std::string& error);
// Returns the error in the answer, or says that the text is no answer.
std::string DecodeAnswer(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_ATTACHMENT_H_
