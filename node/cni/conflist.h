// The plugin's entry in a list of chained plugins (SPEC.md, "Network configuration format"). Pure.
#ifndef SLUICE_NODE_CNI_CONFLIST_H_
#define SLUICE_NODE_CNI_CONFLIST_H_

#include <string>
#include <string_view>
#include <variant>

namespace sluice {

inline constexpr std::string_view kPluginType = "sluice";  // and the name of its file

// What the entry says beside its type; empty: the plugin's default.
struct PluginEntry {
  std::string socket;
  std::string bpffs;
};

struct EditedConflist {
  bool is_changed = false;
  std::string text;  // all other entries and keys as they were
};

// With the entry, once: where it was, else at the end. An error where the text is no conflist with a plugin in it.
std::variant<EditedConflist, std::string> WithPlugin(const std::string& text, const PluginEntry& entry);
std::variant<EditedConflist, std::string> WithoutPlugin(const std::string& text);

// Whether it is a network of pods: no list of nothing but `loopback`.
bool IsPodNetwork(const std::string& text);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_CONFLIST_H_
