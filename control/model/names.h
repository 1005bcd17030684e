// The syntax of Kubernetes names, and suggestions for mistyped ones. Pure functions.
#ifndef SLUICE_CONTROL_MODEL_NAMES_H_
#define SLUICE_CONTROL_MODEL_NAMES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

// RFC 1123 label: at most 63 of a-z, 0-9 and '-', not at either end.
bool IsDnsLabel(std::string_view text);
// RFC 1123 subdomain: labels joined by dots, at most 253 characters.
bool IsDnsSubdomain(std::string_view text);
// A label's key: [subdomain/]name, the name as a label's value but not empty.
bool IsLabelKey(std::string_view text);
// A label's value: empty, or at most 63 of A-Z, a-z, 0-9, '-', '_', '.', alphanumeric at both ends.
bool IsLabelValue(std::string_view text);
// RFC 6335 service name: at most 15 of a-z, 0-9 and '-', a letter among them, no '-' at either end or doubled.
bool IsPortName(std::string_view text);

// The one of `names` that `text` was probably meant to be: not equal, but equal but for case, or within one edit
// (two from 6 characters on). Nothing if none is that near.
std::optional<std::string_view> Nearest(std::string_view text, std::span<const std::string_view> names);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_NAMES_H_
