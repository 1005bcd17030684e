// Canonical text of what selects addresses. Equal texts select the same addresses, in whatever order the objects list
// the parts. The text becomes Group::key, which people read in dumps.
#ifndef SLUICE_CONTROL_RESOLVE_SELECTION_TEXT_H_
#define SLUICE_CONTROL_RESOLVE_SELECTION_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/objects.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// "pods[app=web] in a".
std::string PodsText(std::string_view namespace_name, const LabelSelector& pods);

// "pods[app=web] in namespaces[team=x]".
std::string PodsText(const LabelSelector& namespaces, const LabelSelector& pods);

// "10.0.0.0/8 except 10.1.0.0/16 or fd00::/8", for blocks that are sorted and unique. A long list is written as its
// length and a SHA-256 (cut to 128 bits) of its content, so that no tenant can make a list that passes for another's.
std::string BlocksText(const std::vector<CidrBlock>& blocks);

// "TCP/http=80,8080".
std::string NamedPortText(std::uint8_t protocol, std::string_view name, const std::vector<std::uint16_t>& numbers);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_SELECTION_TEXT_H_
