#include "manifest/field_lines.h"

#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr int kMostLevels = 6;  // below spec: spec.ingress[].from[].podSelector.matchLabels

void Walk(const ValueTree& tree, const Value& value, const std::string& path, int levels, FieldLines& into) {
  into.lines.emplace(path, tree.LineOf(value.key.empty() ? value.position : value.key_position));
  if (levels == 0 || value.scalar()) return;
  std::size_t index = 0;
  for (const Value* child = value.first; child != nullptr; child = child->next, ++index) {
    const bool in_list = value.kind == Value::Kind::kList;
    Walk(tree, *child, path + (in_list ? '[' + std::to_string(index) + ']' : '.' + std::string(child->key)), levels - 1,
         into);
  }
}

void AddPorts(const Value* containers, FieldLines& into) {
  if (containers == nullptr || containers->kind != Value::Kind::kList) return;
  for (const Value* container = containers->first; container != nullptr; container = container->next) {
    const Value* ports = container->Find("ports");
    if (ports == nullptr || ports->kind != Value::Kind::kList) continue;
    for (const Value* port = ports->first; port != nullptr; port = port->next) {
      const Value* number = port->Find("containerPort");
      if (number == nullptr || number->kind != Value::Kind::kInteger) continue;
      if (number->integer < 1 || number->integer > 65535) continue;
      const Value* protocol = port->Find("protocol");
      const std::string_view name = protocol == nullptr ? "TCP" : protocol->text;
      into.container_ports.emplace(name == "UDP"    ? kProtoUdp
                                   : name == "SCTP" ? kProtoSctp
                                                    : kProtoTcp,
                                   static_cast<std::uint16_t>(number->integer));
    }
  }
}

}  // namespace

std::uint32_t FieldLines::LineOf(std::string_view path) const {
  for (;;) {
    const auto known = lines.find(path);
    if (known != lines.end()) return known->second;
    const std::size_t end = path.find_last_of(".[");
    if (end == path.npos) return 0;
    path = path.substr(0, end);
  }
}

FieldLines FieldLinesOf(const ValueTree& tree, const Value& object) {
  FieldLines lines;
  const Value* kind = object.Find("kind");
  const Value* spec = object.Find("spec");
  if (spec == nullptr || kind == nullptr) return lines;
  if (kind->text == "Pod") {
    AddPorts(spec->Find("containers"), lines);
    AddPorts(spec->Find("initContainers"), lines);
  } else {
    Walk(tree, *spec, "spec", kMostLevels, lines);
  }
  return lines;
}

}  // namespace sluice
