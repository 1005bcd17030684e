#include "sluice/host_port.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "sluice/address.h"

namespace sluice {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

bool IsName(std::string_view host) {
  constexpr std::size_t kMost = 253;
  constexpr std::size_t kMostLabel = 63;
  if (host.ends_with('.')) host.remove_suffix(1);  // a name from the root
  if (host.empty() || host.size() > kMost) return false;
  std::string_view label;
  for (std::string_view rest = host; !rest.empty() || label.empty();) {
    label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > kMostLabel || !std::all_of(label.begin(), label.end(), IsNameCharacter)) {
      return false;
    }
    if (label.size() == rest.size()) break;
    rest.remove_prefix(label.size() + 1);
  }
  // No top-level domain is a number, so this is an address, or was meant to be one.
  return !std::all_of(label.begin(), label.end(), IsDigit);
}

bool IsIpv6(std::string_view host) {
  const std::size_t zone = host.find('%');
  if (zone != host.npos && zone + 1 == host.size()) return false;
  const auto address = IpAddress::Parse(host.substr(0, zone));
  return address && !address->is_v4();
}

}  // namespace

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  HostPort result;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, result.port);
  if (error != std::errc() || last != end) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::Parse(host);
  const bool good = bracketed ? IsIpv6(host) : (address && address->is_v4()) || IsName(host);
  if (!good) return std::nullopt;
  result.host = host;
  return result;
}

}  // namespace sluice
