// The plugin's entry in a list of chained plugins (SPEC.md, "Network configuration format"). Pure.
#ifndef SLUICE_NODE_CNI_CONFLIST_H_
#define SLUICE_NODE_CNI_CONFLIST_H_

#include <string>
#include <string_view>
#include <variant>

namespace sluice {

inline constexpr std::string_view kPluginType = "sluice";  // also the name of its file

// The content of the entry apart from its type; empty: the plugin's default.
struct PluginEntry {
  std::string socket;
  std::string bpffs;
};

struct EditedConflist {
  bool is_changed = false;
  std::string text;  // all other entries and keys are unchanged
};

// Adds the entry once: in its old place, else at the end. An error if the text is no conflist that has a plugin.
std::variant<EditedConflist, std::string> WithPlugin(const std::string& text, const PluginEntry& entry);
std::variant<EditedConflist, std::string> WithoutPlugin(const std::string& text);

// Whether it is a network for pods, which means that it has a plugin other than `loopback`.
bool IsPodNetwork(const std::string& text);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_CONFLIST_H_
