#include "http/http_request.h"

#include <civetweb.h>

#include <algorithm>

namespace sluice {
namespace {

std::string UrlDecoded(std::string_view text) {
  std::string decoded(text.size() + 1, '\0');
  const int length =
      mg_url_decode(text.data(), static_cast<int>(text.size()), decoded.data(), static_cast<int>(decoded.size()), 1);
  decoded.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return decoded;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty() && parameters.size() < kMostParameters) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), one.size() + 1));
    const std::size_t equals = std::min(one.find('='), one.size());
    parameters.emplace_back(UrlDecoded(one.substr(0, equals)),
                            UrlDecoded(one.substr(std::min(one.size(), equals + 1))));
  }
  return parameters;
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

}  // namespace sluice
