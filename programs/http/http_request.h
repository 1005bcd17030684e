// A request as a site sees it, and how it is made of what the server read.
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
  // Headers; empty where there are none.
  std::string host;
  std::string authorization;
  std::string fetch_site;  // Sec-Fetch-Site
};

// "a=1&b=%41&c": names and values, decoded, in their order; those beyond kMostParameters are left out.
inline constexpr std::size_t kMostParameters = 64;
std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view query);

// Whether a client's address, as text, is of this host alone.
bool IsLoopback(std::string_view address);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_HTTP_HTTP_REQUEST_H_
