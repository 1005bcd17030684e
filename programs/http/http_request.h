// A request as a site sees it, and the functions that make it from what the server read.
#ifndef SLUICE_PROGRAMS_HTTP_HTTP_REQUEST_H_
#define SLUICE_PROGRAMS_HTTP_HTTP_REQUEST_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

struct HttpRequest {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  bool from_loopback = false;
  // Headers; empty if the request lacks them.
  std::string host;
  std::string authorization;
  std::string fetch_site;  // Sec-Fetch-Site
};

// Parses "a=1&b=%41&c": names and values, decoded, in order. Those beyond kMostParameters are left out.
inline constexpr std::size_t kMostParameters = 64;
std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view query);

// Whether a client's address, as text, belongs to this host only.
bool IsLoopback(std::string_view address);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_HTTP_HTTP_REQUEST_H_
