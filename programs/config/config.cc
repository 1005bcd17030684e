#include "config/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "config/keys.h"
#include "config/suggest.h"
#include "edge/device.h"
#include "observe/flow_log_filter.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Join(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

// Reads one document into the fields that its keys are bound to.
class Reader {
 public:
  Reader(const std::string& file, Origins& origins, Diagnostics& diagnostics)
      : file_(file), origins_(origins), diagnostics_(diagnostics) {}

  // `prefix`: the path of `map` in the file. The paths of `keys` continue from `section`.
  void ReadMap(const YAML::Node& map, const std::string& prefix, const std::string& section, std::vector<Key>& keys) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        Error(entry.first, prefix, "a key must be a text");
        continue;
      }
      const std::string& name = entry.first.Scalar();
      const std::string path = prefix.empty() ? name : prefix + "." + name;
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        Error(entry.first, path, "given twice; remove one");
        continue;
      }
      seen.push_back(name);
      ReadEntry(entry.first, entry.second, path, section + name, keys);
    }
  }

 private:
  static std::uint32_t LineOf(const YAML::Node& node) { return static_cast<std::uint32_t>(node.Mark().line + 1); }

  void Error(const YAML::Node& node, const std::string& field, std::string message) {
    diagnostics_.push_back({Severity::kError, file_, LineOf(node), "", field, std::move(message)});
  }

  void ReadEntry(const YAML::Node& name, const YAML::Node& value, const std::string& path, const std::string& key_path,
                 std::vector<Key>& keys) {
    const auto exact = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.path == key_path; });
    if (exact != keys.end()) {
      current_path_ = path;
      origins_.SetLine(path, LineOf(name));
      std::visit([&](auto& target) { Read(value, target); }, exact->value);
      return;
    }
    const std::string section = key_path + ".";
    if (std::none_of(keys.begin(), keys.end(), [&](const Key& key) { return key.path.starts_with(section); })) {
      Error(name, path, "no such key" + DidYouMean(key_path, keys));
    } else if (value.IsMap()) {
      ReadMap(value, path, section, keys);
    } else if (!value.IsNull()) {
      Error(value, path, "wants a mapping of keys");
    }
  }

  static std::string DidYouMean(const std::string& unknown, const std::vector<Key>& keys) {
    std::vector<std::string> candidates;
    for (const Key& key : keys) {
      candidates.push_back(key.path);
      const std::size_t dot = key.path.find('.');
      if (dot != std::string::npos) candidates.push_back(key.path.substr(0, dot));
    }
    const std::string nearest = Nearest(unknown, candidates);
    return nearest.empty() ? "; docs/configuration.md lists all" : "; did you mean " + nearest + "?";
  }

  void Read(const YAML::Node& node, NumberKey& key) {
    const auto value = node.IsScalar() ? ParseNumber(node.Scalar()) : std::nullopt;
    if (!value || *value < key.min || *value > key.max) {
      Error(node, current_path_,
            "wants a number from " + std::to_string(key.min) + " to " + std::to_string(key.max) + Got(node));
      return;
    }
    std::visit([&](auto* target) { *target = static_cast<std::remove_pointer_t<decltype(target)>>(*value); },
               key.target);
  }

  void Read(const YAML::Node& node, ChoiceKey& key) {
    const auto choice =
        node.IsScalar() ? std::find(key.choices.begin(), key.choices.end(), node.Scalar()) : key.choices.end();
    if (choice == key.choices.end()) {
      Error(node, current_path_, "wants one of " + Join(key.choices) + Got(node));
      return;
    }
    *key.target = static_cast<std::uint8_t>(choice - key.choices.begin());
  }

  void Read(const YAML::Node& node, BoolKey& key) {
    if (!node.IsScalar() || (node.Scalar() != "true" && node.Scalar() != "false")) {
      Error(node, current_path_, "wants true or false" + Got(node));
      return;
    }
    *key.target = node.Scalar() == "true";
  }

  void Read(const YAML::Node& node, TextKey& key) {
    if (!node.IsScalar() || node.Scalar().empty()) {
      Error(node, current_path_, "wants a text");
      return;
    }
    *key.target = node.Scalar();
  }

  void Read(const YAML::Node& node, TextListKey& key) {
    key.target->clear();
    ForEach(node, "a list of texts", [&](const YAML::Node& item) {
      std::string text;
      TextKey text_key{&text};
      Read(item, text_key);
      key.target->push_back(std::move(text));
    });
  }

  void Read(const YAML::Node& node, CoresKey& key) {
    std::string text = node.IsScalar() ? node.Scalar() : "";
    if (node.IsSequence()) {
      for (const YAML::Node& item : node) text += (text.empty() ? "" : ",") + (item.IsScalar() ? item.Scalar() : "?");
    }
    auto cores = ParseCores(text);
    if (!cores) {
      Error(node, current_path_, "wants CPU numbers, none twice, such as 0,2-4" + Got(node));
      return;
    }
    *key.target = std::move(*cores);
  }

  void Read(const YAML::Node& node, EtherTypesKey& key) {
    key.target->clear();
    ForEach(node, "a list of EtherTypes", [&](const YAML::Node& item) {
      std::uint32_t value = 0;
      NumberKey number{&value, 0x600, 0xffff};
      Read(item, number);
      key.target->push_back(static_cast<std::uint16_t>(value));
    });
    std::sort(key.target->begin(), key.target->end());
    key.target->erase(std::unique(key.target->begin(), key.target->end()), key.target->end());
  }

  void Read(const YAML::Node& node, WiresKey& key) {
    key.target->clear();
    ForEach(node, "a list of wires", [&](const YAML::Node& item) {
      if (item.IsScalar() && item.Scalar() == kHooksWire) {
        key.target->emplace_back().is_hooks = true;
        return;
      }
      if (!item.IsSequence() || item.size() != 2) {
        Error(item, current_path_, "wants a wire of two ports, [DEV, DEV], or hooks");
        return;
      }
      WireSettings wire;
      const std::string path = current_path_;
      for (std::size_t i = 0; i < 2; ++i) {
        current_path_ = path + "[" + std::to_string(i) + "]";
        origins_.SetLine(current_path_, LineOf(item[i]));
        ReadPort(item[i], wire.ports[i]);
      }
      key.target->push_back(std::move(wire));
    });
  }

  void Read(const YAML::Node& node, ConditionsKey& key) {
    if (!node.IsMap()) {
      Error(node, current_path_, "wants a mapping of conditions, such as {namespace: shop}" + Got(node));
      return;
    }
    const std::string path = current_path_;
    for (const auto& entry : node) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      current_path_ = path + "." + name;
      if (!IsCondition(name)) {
        Error(entry.first, path, "there is no such condition as '" + name + "'; there are " + ConditionNames());
      } else if (entry.second.IsSequence()) {
        for (const YAML::Node& value : entry.second) ReadCondition(value, name, key);
      } else {
        ReadCondition(entry.second, name, key);
      }
    }
    current_path_ = path;
  }

  void ReadCondition(const YAML::Node& node, const std::string& name, ConditionsKey& key) {
    FlowLogCondition condition{name, "", key.negated};
    TextKey text{&condition.value};
    const std::size_t before = diagnostics_.size();
    Read(node, text);
    if (diagnostics_.size() != before) return;
    if (const auto error = FlowLogFilter().Add(name, condition.value, key.negated)) {
      Error(node, current_path_, *error + Got(node));
      return;
    }
    key.target->push_back(std::move(condition));
  }

  static bool IsCondition(std::string_view name) {
    const auto& known = FlowLogFilter::Conditions();
    return std::any_of(known.begin(), known.end(), [&](const auto& condition) { return condition.name == name; });
  }

  static std::string ConditionNames() {
    std::vector<std::string_view> names;
    for (const FlowLogFilter::Condition& condition : FlowLogFilter::Conditions()) names.push_back(condition.name);
    return Join(names);
  }

  void Read(const YAML::Node& node, FlowLogsKey& key) {
    key.target->clear();
    ForEach(node, "a list of mappings, each with the key to", [&](const YAML::Node& item) {
      FlowLogSinkSettings sink;
      const std::string path = current_path_;
      if (!item.IsMap()) {
        Error(item, path, "wants a mapping with the key to" + Got(item));
        return;
      }
      std::vector<Key> keys = KeysOf(sink);
      ReadMap(item, path, "", keys);
      CheckSink(item, path, sink);
      key.target->push_back(std::move(sink));
    });
  }

  void CheckSink(const YAML::Node& item, const std::string& path, FlowLogSinkSettings& sink) {
    const auto check = [&](const YAML::Node& node, const char* key, std::optional<std::string> error) {
      if (error) Error(node ? node : item, path + "." + key, *std::move(error));
    };
    const YAML::Node sums = item["aggregate"];
    const YAML::Node aggregate = sums && sums.IsMap() ? sums : item;
    check(item["to"], "to", CheckLogPlace(sink.to));
    check(item["fields"], "fields", CheckLogFields(sink.fields, kFlowLogFields));
    check(aggregate["by"], "aggregate.by", CheckLogFields(sink.aggregate_by, kFlowLogSumFields));
    if (!sink.fields.empty() && !sink.aggregate_by.empty()) {
      check(item["fields"], "fields",
            "does not go with aggregate: a sum has the fields of aggregate.by, and its counts");
    }
    if (sink.policy_lines_per_second != 0 && !sink.aggregate_by.empty()) {
      check(item["policy_lines_per_second"], "policy_lines_per_second",
            "does not go with aggregate: a sum is of many policies; lines_per_second is of sums");
    }
    if (sink.is_ipfix() && !(sink.fields.empty() && sink.aggregate_by.empty())) {
      check(sums ? sums : item["fields"], "to", "IPFIX has all fields of each record: remove fields and aggregate");
    }
    if (sink.until.empty()) return;
    const auto until = ParseRfc3339(sink.until);
    if (!until) {
      return check(item["until"], "until", "wants a time such as 2026-12-24T18:00:00Z, not '" + sink.until + "'");
    }
    sink.until_unix_ns = *until;
  }

  void ReadPort(const YAML::Node& node, PortSettings& port) {
    if (node.IsMap()) {
      std::vector<Key> keys = KeysOf(port);
      const std::string path = current_path_;
      ReadMap(node, path, "", keys);
      if (port.device.empty()) Error(node, path, "wants the key device");
    } else if (node.IsNull()) {
      port.device = "null";  // YAML reads the plain word as its own null
    } else {
      TextKey device{&port.device};
      Read(node, device);
    }
  }

  // Calls `read` for each item, while current_path_ names the item.
  template <typename Function>
  void ForEach(const YAML::Node& node, const std::string& what, Function&& read) {
    if (!node.IsSequence()) {
      if (!node.IsNull()) Error(node, current_path_, "wants " + what + Got(node));
      return;
    }
    const std::string path = current_path_;
    for (std::size_t i = 0; i < node.size(); ++i) {
      current_path_ = path + "[" + std::to_string(i) + "]";
      origins_.SetLine(current_path_, LineOf(node[i]));
      read(node[i]);
    }
    current_path_ = path;
  }

  static std::string Got(const YAML::Node& node) { return node.IsScalar() ? ", not '" + node.Scalar() + "'" : ""; }

  const std::string& file_;
  Origins& origins_;
  Diagnostics& diagnostics_;
  std::string current_path_;
};

}  // namespace

bool ReadConfig(std::string_view text, const std::string& file_name, Config& config, Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.size();
  config.origins.SetFile(file_name);
  const auto refuse = [&](std::uint32_t line, std::string message) {
    diagnostics.push_back({Severity::kError, file_name, line, "", "", std::move(message)});
  };
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      refuse(static_cast<std::uint32_t>(documents[1].Mark().line + 1), "wants a single YAML document");
    } else if (!documents.empty() && documents[0].IsMap()) {
      std::vector<Key> keys = KeysOf(config);
      Reader(file_name, config.origins, diagnostics).ReadMap(documents[0], "", "", keys);
    } else if (!documents.empty() && !documents[0].IsNull()) {
      refuse(1, "wants a mapping of keys");
    }
  } catch (const YAML::Exception& error) {
    refuse(error.mark.is_null() ? 0 : static_cast<std::uint32_t>(error.mark.line + 1), error.msg);
  }
  return diagnostics.size() == before;
}

bool ReadConfigFile(const std::string& path, Config& config, Diagnostics& diagnostics) {
  constexpr std::streamoff kMaxBytes = 1 << 20;
  const auto refuse = [&](std::string message) {
    diagnostics.push_back({Severity::kError, path, 0, "", "", std::move(message)});
    return false;
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    // Streams distinguish an empty file from a failure only by errno.
    if (errno != 0) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  }
  if (text.tellp() > kMaxBytes) return refuse("is larger than 1 MB; is it a configuration file?");
  return ReadConfig(text.str(), path, config, diagnostics);
}

std::optional<std::vector<std::uint32_t>> ParseCores(std::string_view text) {
  constexpr std::uint64_t kMaxCpu = 4095;
  std::vector<std::uint32_t> cores;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto first = ParseNumber(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : ParseNumber(item.substr(dash + 1));
    if (!first || !last || *first > *last || *last > kMaxCpu) return std::nullopt;
    for (std::uint64_t core = *first; core <= *last; ++core) cores.push_back(static_cast<std::uint32_t>(core));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::vector<std::uint32_t> sorted = cores;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return std::nullopt;
  return cores;
}

}  // namespace sluice
