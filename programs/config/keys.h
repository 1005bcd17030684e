// The keys of the configuration: the field for each value, the values that it may have, and its meaning.
#ifndef SLUICE_PROGRAMS_CONFIG_KEYS_H_
#define SLUICE_PROGRAMS_CONFIG_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace sluice {

struct NumberKey {
  std::variant<std::uint8_t*, std::uint32_t*, std::uint64_t*> target;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
};

struct ChoiceKey {
  std::uint8_t* target = nullptr;         // the enumerator's value
  std::vector<std::string_view> choices;  // in the enumeration's order; an empty text cannot be chosen
};

struct BoolKey {
  bool* target = nullptr;
};

struct TextKey {
  std::string* target = nullptr;
  std::string_view if_missing = "required";
};

struct TextListKey {
  std::vector<std::string>* target = nullptr;
  std::string_view if_missing = "none";
};

struct CoresKey {
  std::vector<std::uint32_t>* target = nullptr;
};

struct EtherTypesKey {
  std::vector<std::uint16_t>* target = nullptr;
};

struct WiresKey {
  std::vector<WireSettings>* target = nullptr;
};

// A mapping from conditions on lines of a flow log to a value or a list of values. They are added to those before.
struct ConditionsKey {
  std::vector<FlowLogCondition>* target = nullptr;
  bool negated = false;
};

struct FlowLogsKey {
  std::vector<FlowLogSinkSettings>* target = nullptr;
};

struct Key {
  std::string path;  // "timeouts.udp": key udp of the mapping timeouts
  std::variant<NumberKey, ChoiceKey, BoolKey, TextKey, TextListKey, CoresKey, EtherTypesKey, WiresKey, ConditionsKey,
               FlowLogsKey>
      value;
  std::string_view unit;
  std::string_view text;
};

// The keys of the file, each bound to its field of `config`.
std::vector<Key> KeysOf(Config& config);

// The keys of one port in the long form of `wires`, bound to `port`.
std::vector<Key> KeysOf(PortSettings& port);

// The keys of one item of `flow_logs`, bound to `sink`.
std::vector<Key> KeysOf(FlowLogSinkSettings& sink);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CONFIG_KEYS_H_
