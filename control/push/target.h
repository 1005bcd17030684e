// Where a dataplane listens, and how to connect to it. Plain values; any thread.
#ifndef SLUICE_CONTROL_PUSH_TARGET_H_
#define SLUICE_CONTROL_PUSH_TARGET_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grpc {
class Channel;
}  // namespace grpc

namespace sluice {

inline constexpr std::string_view kDefaultTarget = "unix:/run/sluice/sluiced.sock";

struct TargetSecurity {
  // PEM files: all three or none. They are read again when they change. Connect requires that each always holds what it
  // should: gRPC 1.51 ends the process if one is empty.
  std::string certificate;
  std::string key;
  std::string ca;         // the authority that signs the dataplanes' certificates
  bool insecure = false;  // TCP without TLS
};

struct TargetProblem {
  std::optional<std::size_t> index;  // of the address; nothing: the problem is in `security`
  std::string what;                  // what is wrong, with the remedy
};

// What is wrong with the addresses ("unix:PATH", "HOST:PORT"): each by itself, and with the other settings.
std::vector<TargetProblem> CheckTargets(const std::vector<std::string>& addresses, const TargetSecurity& security);

// Why gRPC has no connection, in words for operators.
std::string ExplainFailure(const std::string& message, const TargetSecurity& security);

// Connects when first used, and shares no connection. Requires that CheckTargets found nothing.
std::shared_ptr<grpc::Channel> Connect(const std::string& address, const TargetSecurity& security);

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_TARGET_H_
