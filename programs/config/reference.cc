#include "config/config.h"
#include "config/keys.h"

namespace sluice {
namespace {

// The values that a key may have, and its default: read from the default object that the key is bound to.
struct TypeAndDefault {
  std::string type;
  std::string value;
};

struct Describe {
  TypeAndDefault operator()(const NumberKey& key) const {
    const std::uint64_t value = std::visit([](auto* target) { return std::uint64_t{*target}; }, key.target);
    return {std::to_string(key.min) + " to " + std::to_string(key.max), std::to_string(value)};
  }
  TypeAndDefault operator()(const ChoiceKey& key) const {
    std::string type;
    for (const std::string_view choice : key.choices) type += (type.empty() ? "`" : ", `") + std::string(choice) + "`";
    return {type, "`" + std::string(key.choices[*key.target]) + "`"};
  }
  TypeAndDefault operator()(const BoolKey& key) const {
    return {"`true`, `false`", *key.target ? "`true`" : "`false`"};
  }
  TypeAndDefault operator()(const TextKey& key) const { return {"text", std::string(key.if_missing)}; }
  TypeAndDefault operator()(const TextListKey& key) const { return {"list of texts", std::string(key.if_missing)}; }
  TypeAndDefault operator()(const CoresKey&) const { return {"list of numbers", "empty"}; }
  TypeAndDefault operator()(const EtherTypesKey&) const { return {"list of 0x600 to 0xffff", "none"}; }
  TypeAndDefault operator()(const WiresKey&) const { return {"list of pairs", "none"}; }
  TypeAndDefault operator()(const ConditionsKey&) const { return {"mapping of texts or lists of texts", "none"}; }
  TypeAndDefault operator()(const FlowLogsKey&) const { return {"list of mappings", "none"}; }
};

std::string MarkdownTable(const std::vector<Key>& keys) {
  std::string text = "| key | value | default | unit | meaning |\n|---|---|---|---|---|\n";
  for (const Key& key : keys) {
    const TypeAndDefault is = std::visit(Describe{}, key.value);
    text += "| `" + key.path + "` | " + is.type + " | " + is.value + " | " + std::string(key.unit) + " | " +
            std::string(key.text) + " |\n";
  }
  return text;
}

}  // namespace

std::string ConfigReference() {
  Config config;
  PortSettings port;
  FlowLogSinkSettings sink;
  return MarkdownTable(KeysOf(config)) + "\nA port of a wire in its long form:\n\n" + MarkdownTable(KeysOf(port)) +
         "\nAn item of `flow_logs`:\n\n" + MarkdownTable(KeysOf(sink));
}

}  // namespace sluice
