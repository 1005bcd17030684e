// What a YAML scalar means to kubectl and the API server: to sigs.k8s.io/yaml, which is go-yaml v2 (YAML 1.1: `y`, `no`
// and `on` are booleans, 017 is octal) and then JSON. tests/control/kubectl_yaml has a table of what the library says.
#ifndef SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_
#define SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "model/value.h"

namespace sluice {

struct YamlScalar {
  Value::Kind kind = Value::Kind::kString;  // kNull, kBool, kInteger, kFloat or kString
  bool boolean = false;
  bool is_unsigned = false;       // kFloat: an integer above the greatest int64
  std::int64_t integer = 0;       // kInteger
  double real = 0;                // kFloat
  std::string_view refusal = {};  // why kubectl or we refuse the document; empty: neither does
};

// `tag` as in yaml-cpp: "?" without quotes, "!" in quotes, otherwise what is written in the document.
YamlScalar ResolveScalar(std::string_view tag, std::string_view text);

// What a scalar becomes as a key: keys are strings. Returns why kubectl refuses it; empty: it does not.
std::string_view KeyText(const YamlScalar& scalar, std::string_view text, std::string* key);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_
