// What the API server says when it does not do what it was asked: metav1.Status. Pure functions.
#ifndef SLUICE_CONTROL_KUBE_API_STATUS_H_
#define SLUICE_CONTROL_KUBE_API_STATUS_H_

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct ApiStatus {
  bool is_status = false;             // else `message` is all that there is
  long code = 0;                      // an HTTP status; 0: none was given
  std::string reason;                 // "Expired", "Forbidden", ...
  std::string message;                // for people
  std::optional<long> retry_after_s;  // details.retryAfterSeconds
};

// Reads a response's body. Of one that is not a Status (a proxy's page), the message is its first line. Texts are fit
// for a log (printable.h).
ApiStatus ReadApiStatus(long http_status, std::string_view body);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_API_STATUS_H_
