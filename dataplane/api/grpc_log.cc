#include "api/grpc_log.h"

#include <grpc/support/log.h>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kQuiet(10);
constexpr std::size_t kMostKinds = 100;

// The beginning of gRPC's message, at its debug level, that a connection's handshake failed.
constexpr std::string_view kHandshake = "Security handshake failed: ";

// The cause of a failure, and what it means to an operator.
constexpr std::pair<std::string_view, std::string_view> kReasons[] = {
    {"peer did not return a certificate", "it sent no certificate"},
    {"certificate verify failed", "tls.client_ca did not sign its certificate, or it has expired"},
    {"wrong version number", "it is a client that speaks no TLS"},
    {"http request", "it is a client that speaks no TLS"},
    {"alert", "it does not accept our certificate (tls.certificate)"},
    {"Socket closed", "it went while TLS was agreed on; mostly, it does not accept our certificate (tls.certificate)"},
    {"Connection reset",
     "it went while TLS was agreed on; mostly, it does not accept our certificate (tls.certificate)"}};

class GrpcLog {
 public:
  void Set(std::function<void(std::string_view)> say) {
    const std::lock_guard lock(mutex_);
    say_ = std::move(say);
    last_.clear();
  }

  void Write(std::string_view error) {
    const std::string words = GrpcErrorInWords(error);
    const std::lock_guard lock(mutex_);
    if (!say_) return;
    const auto now = Clock::now();
    const auto known = last_.find(words);
    if (known != last_.end() && now - known->second < kQuiet) return;
    if (last_.size() >= kMostKinds) last_.clear();
    last_[words] = now;
    say_(words);
  }

 private:
  std::mutex mutex_;
  std::function<void(std::string_view)> say_;
  std::map<std::string, Clock::time_point> last_;
};

GrpcLog& Log() {
  static GrpcLog log;
  return log;
}

void Forward(gpr_log_func_args* line) {
  const std::string_view message = line->message;
  const bool is_error = line->severity == GPR_LOG_SEVERITY_ERROR;
  // OpenSSL's error comes twice: alone, and with the handshake that it ended.
  if (message.starts_with(kHandshake) || (is_error && message.find("andshake failed") == message.npos)) {
    Log().Write(message);
  }
}

}  // namespace

void SetGrpcLog(std::function<void(std::string_view)> say) {
  Log().Set(std::move(say));
  gpr_set_log_function(Forward);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
}

std::string GrpcErrorInWords(std::string_view error) {
  if (!error.starts_with(kHandshake)) return "gRPC: " + std::string(error);
  const std::string who = "a TLS client was turned away: ";
  for (const auto& [reason, words] : kReasons) {
    if (error.find(reason) != error.npos) return who + std::string(words);
  }
  return who + std::string(error.substr(kHandshake.size()));
}

}  // namespace sluice
