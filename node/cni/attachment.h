// What the CNI plugin and sluice-sync say to each other: one message each way, JSON, over a Unix socket that keeps
// messages apart (SOCK_SEQPACKET). Plain values.
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
  std::string uid;  // of the Pod; empty: the runtime does not say
  std::vector<IpAddress> addresses;

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

struct PluginRequest {
  enum class Command : std::uint8_t {
    kAdd,      // the pod's policy is in force once this is answered
    kDelete,   // the attachment is gone
    kCheck,    // is the attachment's pod known by its addresses, and its policy in force?
    kCollect,  // all attachments that are not among `valid` are gone
    kStatus,   // could an attachment be added?
  };

  Command command = Command::kStatus;
  Attachment attachment;
  std::set<AttachmentKey> valid;
  std::chrono::milliseconds wait{0};  // for which the answer is waited for

  friend bool operator==(const PluginRequest&, const PluginRequest&) = default;
};

std::string Encode(const PluginRequest& request);
// The error says what is wrong with the text.
std::variant<PluginRequest, std::string> DecodeRequest(std::string_view text);

// Empty: done. Else why not.
std::string EncodeAnswer(const std::string& error);
// The error is the answer's, or says that this is none.
std::string DecodeAnswer(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_ATTACHMENT_H_
