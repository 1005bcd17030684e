// What the API server says if it does not do what it was asked: metav1.Status. Pure functions.
#ifndef SLUICE_CONTROL_KUBE_API_STATUS_H_
#define SLUICE_CONTROL_KUBE_API_STATUS_H_

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct ApiStatus {
  bool is_status = false;             // false: there is only `message`
  long code = 0;                      // an HTTP status; 0: none was given
  std::string reason;                 // "Expired", "Forbidden", ...
  std::string message;                // for people
  std::optional<long> retry_after_s;  // details.retryAfterSeconds
};

// Reads a response's body. If it is not a Status (a proxy's page, for example), the message is its first line. All
// texts are safe to log (printable.h).
ApiStatus ReadApiStatus(long http_status, std::string_view body);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_API_STATUS_H_
