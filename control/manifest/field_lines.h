// The lines of an object's fields in its file, and what `lint` needs but policy does not. Kept only if
// ReadSettings asks for it.
#ifndef SLUICE_CONTROL_MANIFEST_FIELD_LINES_H_
#define SLUICE_CONTROL_MANIFEST_FIELD_LINES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "model/value.h"

namespace sluice {

struct FieldLines {
  // By path in the object, as diagnostics write it: "spec.ingress[0].from[1]". 1-based. Only for the spec of a policy.
  std::map<std::string, std::uint32_t, std::less<>> lines;
  // For a Pod: (protocol, containerPort) of all ports that its containers declare, named or not.
  std::set<std::pair<std::uint8_t, std::uint16_t>> container_ports;

  bool Has(std::string_view path) const { return lines.find(path) != lines.end(); }
  // The line of the field, or of the nearest field that contains it; 0: none is known.
  std::uint32_t LineOf(std::string_view path) const;
};

FieldLines FieldLinesOf(const ValueTree& tree, const Value& object);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FIELD_LINES_H_
