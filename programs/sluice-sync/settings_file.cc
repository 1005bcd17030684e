#include <yaml-cpp/yaml.h>

#include <algorithm>
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
          {"staged", &settings.staged},
          {"skip_broken_manifests", &settings.skip_broken_manifests},
          {"target", &settings.targets},
          {"tls.certificate", &settings.security.certificate},
          {"tls.key", &settings.security.key},
          {"tls.ca", &settings.security.ca},
          {"insecure", &settings.security.insecure},
          {"node", &settings.node},
          {"socket", &settings.socket},
          {"http", &settings.http},
          {"log_level", &settings.log_level}};
}

// Returns what is wrong, or nothing.
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

// Returns the right spelling of a key, if `name` is a flag's or an older spelling of it; else an empty text.
std::string MeantKey(std::string name, const std::map<std::string, Target>& keys) {
  std::replace(name.begin(), name.end(), '-', '_');
  if (name.starts_with("tls_")) name[3] = '.';
  return keys.contains(name) ? name : "";
}

class SettingsReader {
 public:
  SettingsReader(std::string path, SyncSettings& settings, Diagnostics& diagnostics)
      : path_(std::move(path)), keys_(KeysOf(settings)), origins_(settings.origins), diagnostics_(diagnostics) {}

  void Read() {
    try {
      const YAML::Node root = YAML::LoadFile(path_);
      if (root.IsMap()) {
        ReadMap(root, "");
      } else if (!root.IsNull()) {
        Refuse(root.Mark(), "", "wants a mapping of keys to values");
      }
    } catch (const YAML::BadFile&) {
      Refuse(YAML::Mark::null_mark(), "", "cannot be read; is it there, and may this user read it?");
    } catch (const YAML::Exception& error) {
      Refuse(error.mark, "", error.msg);
    }
  }

 private:
  // `prefix` is "tls." inside `tls`.
  void ReadMap(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      const std::string name = prefix + (entry.first.IsScalar() ? entry.first.Scalar() : "");
      NoteLines(name, entry.first, entry.second, origins_);
      if (!seen_.insert(name).second) {
        Refuse(entry.first.Mark(), name, "is given twice; remove one");
      } else if (name == "tls" && entry.second.IsMap()) {
        ReadMap(entry.second, "tls.");
      } else {
        ReadKey(entry.first, name, entry.second);
      }
    }
  }

  void ReadKey(const YAML::Node& place, const std::string& name, const YAML::Node& value) {
    const auto key = keys_.find(name);
    if (key == keys_.end()) {
      const std::string meant = MeantKey(name, keys_);
      Refuse(place.Mark(), name,
             name == "tls"   ? "wants a mapping with certificate, key and ca"
             : meant.empty() ? "is no key; docs/tools.md lists them"
                             : "is no key; did you mean " + meant + '?');
    } else if (const std::string why = std::visit(Fill{value}, key->second); !why.empty()) {
      Refuse(value.Mark(), name, why);
    }
  }

  void Refuse(const YAML::Mark& mark, const std::string& key, std::string message) {
    const std::uint32_t line = mark.is_null() ? 0 : static_cast<std::uint32_t>(mark.line + 1);
    diagnostics_.push_back({Severity::kError, path_, line, "", key, std::move(message)});
  }

  const std::string path_;
  const std::map<std::string, Target> keys_;
  Origins& origins_;
  Diagnostics& diagnostics_;
  std::set<std::string> seen_;
};

}  // namespace

bool ReadSettingsFile(const std::string& path, SyncSettings& settings, Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.size();
  settings.origins.SetFile(path);
  SettingsReader(path, settings, diagnostics).Read();
  return diagnostics.size() == before;
}

}  // namespace sluice
