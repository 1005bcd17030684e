#include "cni/conflist.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

bool IsOfType(const Json& plugin, std::string_view type) {
  return plugin.is_object() && plugin.contains("type") && plugin["type"] == type;
}

// Returns what is wrong with the text, or nothing.
std::string ReadList(const std::string& text, Json& list) {
  list = Json::parse(text, nullptr, false);
  if (list.is_discarded() || !list.is_object()) return "is no JSON object";
  const auto plugins = list.find("plugins");
  if (plugins == list.end() || !plugins->is_array() || plugins->empty()) return "has no list `plugins`";
  return "";
}

EditedConflist Compare(const Json& before, const Json& after, const std::string& text) {
  if (before == after) return {false, text};
  return {true, after.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace

std::variant<EditedConflist, std::string> WithPlugin(const std::string& text, const PluginEntry& entry) {
  Json before;
  if (std::string error = ReadList(text, before); !error.empty()) return error;
  Json wanted = {{"type", kPluginType}};
  if (!entry.socket.empty()) wanted["socket"] = entry.socket;
  if (!entry.bpffs.empty()) wanted["bpffs"] = entry.bpffs;
  Json after = before;
  Json& plugins = after["plugins"];
  const auto is_ours = [](const Json& plugin) { return IsOfType(plugin, kPluginType); };
  const auto found = std::find_if(plugins.begin(), plugins.end(), is_ours);
  if (found == plugins.end()) {
    plugins.push_back(wanted);
  } else {
    *found = wanted;
    plugins.erase(std::remove_if(found + 1, plugins.end(), is_ours), plugins.end());
  }
  if (IsOfType(plugins.front(), kPluginType)) return std::string("has no plugin that makes an interface");
  return Compare(before, after, text);
}

std::variant<EditedConflist, std::string> WithoutPlugin(const std::string& text) {
  Json before;
  if (std::string error = ReadList(text, before); !error.empty()) return error;
  Json after = before;
  Json& plugins = after["plugins"];
  plugins.erase(
      std::remove_if(plugins.begin(), plugins.end(), [](const Json& plugin) { return IsOfType(plugin, kPluginType); }),
      plugins.end());
  return Compare(before, after, text);
}

bool IsPodNetwork(const std::string& text) {
  Json list;
  if (!ReadList(text, list).empty()) return false;
  const Json& plugins = list["plugins"];
  return std::any_of(plugins.begin(), plugins.end(), [](const Json& plugin) { return !IsOfType(plugin, "loopback"); });
}

}  // namespace sluice
