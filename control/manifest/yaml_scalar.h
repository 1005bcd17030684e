// What a YAML scalar without quotes means, as kubectl and the API server read it (YAML 1.1's booleans included).
#ifndef SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_
#define SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_

#include <cstdint>
#include <string_view>

#include "model/value.h"

namespace sluice {

struct PlainScalar {
  Value::Kind kind = Value::Kind::kString;  // kNull, kBool, kInteger, kFloat or kString
  bool boolean = false;
  std::int64_t integer = 0;
};

PlainScalar ResolvePlain(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_SCALAR_H_
