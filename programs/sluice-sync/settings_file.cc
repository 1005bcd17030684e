#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "sluice-sync/settings.h"

namespace sluice {
namespace {

using Target = std::variant<std::string*, std::vector<std::string>*, bool*>;

std::map<std::string, Target> KeysOf(SyncSettings& settings) {
  return {{"kubeconfig", &settings.kubeconfig},
          {"context", &settings.context},
          {"manifests", &settings.manifests},
          {"skip-broken-manifests", &settings.skip_broken_manifests},
          {"target", &settings.targets},
          {"tls-certificate", &settings.security.certificate},
          {"tls-key", &settings.security.key},
          {"tls-ca", &settings.security.ca},
          {"insecure", &settings.security.insecure},
          {"node", &settings.node},
          {"socket", &settings.socket},
          {"http", &settings.http},
          {"log-level", &settings.log_level}};
}

// What is wrong, or nothing.
struct Fill {
  const YAML::Node& value;

  std::string operator()(std::string* text) const {
    if (!value.IsScalar()) return "wants a text";
    *text = value.Scalar();
    return "";
  }
  std::string operator()(bool* flag) const {
    return value.IsScalar() && YAML::convert<bool>::decode(value, *flag) ? "" : "wants true or false";
  }
  std::string operator()(std::vector<std::string>* list) const {
    list->clear();
    if (value.IsScalar()) list->push_back(value.Scalar());
    if (value.IsScalar()) return "";
    if (!value.IsSequence()) return "wants a text or a list of texts";
    for (const YAML::Node& item : value) {
      if (!item.IsScalar()) return "wants a list of texts";
      list->push_back(item.Scalar());
    }
    return "";
  }
};

void NoteLines(const std::string& key, const YAML::Node& name, const YAML::Node& value, Origins& origins) {
  const auto line_of = [](const YAML::Node& node) { return static_cast<std::uint32_t>(node.Mark().line + 1); };
  origins.SetLine(key, line_of(name));
  if (!value.IsSequence()) return;
  for (std::size_t i = 0; i < value.size(); ++i)
    origins.SetLine(key + '[' + std::to_string(i) + ']', line_of(value[i]));
}

}  // namespace

bool ReadSettingsFile(const std::string& path, SyncSettings& settings, Diagnostics& diagnostics) {
  const auto wrong = [&](const YAML::Mark& mark, const std::string& key, std::string message) {
    const std::uint32_t line = mark.is_null() ? 0 : static_cast<std::uint32_t>(mark.line + 1);
    diagnostics.push_back({Severity::kError, path, line, "", key, std::move(message)});
  };
  const std::size_t before = diagnostics.size();
  settings.origins.SetFile(path);
  try {
    const YAML::Node root = YAML::LoadFile(path);
    if (!root.IsMap() && !root.IsNull()) wrong(root.Mark(), "", "wants a mapping of keys to values");
    const std::map<std::string, Target> keys = KeysOf(settings);
    std::set<std::string> seen;
    if (root.IsMap()) {
      for (const auto& entry : root) {
        const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
        NoteLines(name, entry.first, entry.second, settings.origins);
        const auto key = keys.find(name);
        if (key == keys.end()) {
          wrong(entry.first.Mark(), name, "is no key; the keys are the names of the flags (--help)");
        } else if (!seen.insert(name).second) {
          wrong(entry.first.Mark(), name, "is given twice; remove one");
        } else if (const std::string why = std::visit(Fill{entry.second}, key->second); !why.empty()) {
          wrong(entry.second.Mark(), name, why);
        }
      }
    }
  } catch (const YAML::BadFile&) {
    wrong(YAML::Mark::null_mark(), "", "cannot be read; is it there, and may this user read it?");
  } catch (const YAML::Exception& error) {
    wrong(error.mark, "", error.msg);
  }
  return diagnostics.size() == before;
}

}  // namespace sluice
