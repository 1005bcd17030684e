#include "manifest/kept_manifests.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace sluice {
namespace {

constexpr std::size_t kRecordBytes = std::size_t{1} << 20;

enum class Item : std::uint8_t { kFile, kObject, kReadable, kUnread, kEnd };

// All fields of each type: if a type gets another field, this does not compile until the field is named here.
template <typename T, typename Of>
concept Is = std::is_same_v<std::remove_const_t<T>, Of>;

template <Is<IpAddress> T>
auto Fields(T& object) {
  auto& [family, hi, lo] = object;
  return std::tie(family, hi, lo);
}
template <Is<Prefix> T>
auto Fields(T& object) {
  auto& [base, length] = object;
  return std::tie(base, length);
}
template <Is<LabelRequirement> T>
auto Fields(T& object) {
  auto& [key, op, values] = object;
  return std::tie(key, op, values);
}
template <Is<LabelSelector> T>
auto Fields(T& object) {
  auto& [requirements] = object;
  return std::tie(requirements);
}
template <Is<Namespace> T>
auto Fields(T& object) {
  auto& [name, labels] = object;
  return std::tie(name, labels);
}
template <Is<NodeObject> T>
auto Fields(T& object) {
  auto& [name, addresses, pod_cidrs, annotated_addresses, addresses_are_all, labels] = object;
  return std::tie(name, addresses, pod_cidrs, annotated_addresses, addresses_are_all, labels);
}
template <Is<ContainerPort> T>
auto Fields(T& object) {
  auto& [name, protocol, port] = object;
  return std::tie(name, protocol, port);
}
template <Is<Pod> T>
auto Fields(T& object) {
  auto& [space, name, labels, node, host_network, phase, addresses, host_addresses, ports, created, workload] = object;
  return std::tie(space, name, labels, node, host_network, phase, addresses, host_addresses, ports, created, workload);
}
template <Is<IpBlock> T>
auto Fields(T& object) {
  auto& [cidr, excepts] = object;
  return std::tie(cidr, excepts);
}
template <Is<NetworkPolicyPeer> T>
auto Fields(T& object) {
  auto& [pod_selector, namespace_selector, ip_block] = object;
  return std::tie(pod_selector, namespace_selector, ip_block);
}
template <Is<NetworkPolicyPort> T>
auto Fields(T& object) {
  auto& [protocol, port, end_port, name] = object;
  return std::tie(protocol, port, end_port, name);
}
template <Is<NetworkPolicyRule> T>
auto Fields(T& object) {
  auto& [peers, ports] = object;
  return std::tie(peers, ports);
}
template <Is<NetworkPolicy> T>
auto Fields(T& object) {
  auto& [space, name, selector, has_ingress, has_egress, ingress, egress, refused] = object;
  return std::tie(space, name, selector, has_ingress, has_egress, ingress, egress, refused);
}
template <Is<StagedNetworkPolicy> T>
auto Fields(T& object) {
  auto& [space, name, action, policy, by] = object;
  return std::tie(space, name, action, policy, by);
}
template <Is<StagedClusterPolicy> T>
auto Fields(T& object) {
  auto& [name, action, policy, by] = object;
  return std::tie(name, action, policy, by);
}
template <Is<PodSelection> T>
auto Fields(T& object) {
  auto& [namespaces, pods] = object;
  return std::tie(namespaces, pods);
}
template <Is<ClusterPolicyPeer> T>
auto Fields(T& object) {
  auto& [pods, nodes, networks, domain_names] = object;
  return std::tie(pods, nodes, networks, domain_names);
}
template <Is<ClusterPolicyPort> T>
auto Fields(T& object) {
  auto& [protocol, first, last, name] = object;
  return std::tie(protocol, first, last, name);
}
template <Is<ClusterPolicyRule> T>
auto Fields(T& object) {
  auto& [name, action, everyone, peers, any_port, ports] = object;
  return std::tie(name, action, everyone, peers, any_port, ports);
}
template <Is<ClusterPolicy> T>
auto Fields(T& object) {
  auto& [kind, name, tier, priority, subject, ingress, egress, refused] = object;
  return std::tie(kind, name, tier, priority, subject, ingress, egress, refused);
}
template <Is<ObjectKey> T>
auto Fields(T& object) {
  auto& [kind, space, name] = object;
  return std::tie(kind, space, name);
}

template <typename T>
concept HasFields = requires(T& object) {
  Fields(object);
};
template <typename T>
concept IsNumber = std::is_integral_v<T> || std::is_enum_v<T>;

// Numbers are written in groups of seven bits, the lowest first. Texts and lists begin with their length.
class Writer {
 public:
  explicit Writer(std::string& bytes) : bytes_(bytes) {}

  template <IsNumber T>
  void Put(const T& value) {
    auto left = static_cast<std::uint64_t>(value);
    for (; left >= 0x80; left >>= 7) bytes_ += static_cast<char>(left | 0x80);
    bytes_ += static_cast<char>(left);
  }
  void Put(const std::string& text) {
    Put(text.size());
    bytes_ += text;
  }
  template <typename T>
  void Put(const std::vector<T>& list) {
    Put(list.size());
    for (const T& entry : list) Put(entry);
  }
  template <typename A, typename B>
  void Put(const std::pair<A, B>& both) {
    Put(both.first);
    Put(both.second);
  }
  template <typename T>
  void Put(const std::optional<T>& value) {
    Put(value.has_value());
    if (value) Put(*value);
  }
  void Put(const std::monostate&) {}
  template <HasFields T>
  void Put(const T& object) {
    const auto fields = Fields(object);
    Put(std::tuple_size_v<decltype(fields)>);
    std::apply([this](const auto&... field) { (this->Put(field), ...); }, fields);
  }

 private:
  std::string& bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool good() const { return good_; }
  bool at_end() const { return bytes_.empty() || !good_; }

  template <IsNumber T>
  void Get(T& value) {
    std::uint64_t number = 0;
    for (int shift = 0; good_; shift += 7) {
      good_ = !bytes_.empty() && shift < 64;
      if (!good_) return;
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      number |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    value = static_cast<T>(number);
    good_ = good_ && static_cast<std::uint64_t>(value) == number;
  }
  void Get(std::string& text) {
    const std::size_t size = Size();
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }
  template <typename T>
  void Get(std::vector<T>& list) {
    for (std::size_t left = Size(); left > 0 && good_; --left) Get(list.emplace_back());
  }
  template <typename A, typename B>
  void Get(std::pair<A, B>& both) {
    Get(both.first);
    Get(both.second);
  }
  template <typename T>
  void Get(std::optional<T>& value) {
    bool has_value = false;
    Get(has_value);
    if (has_value && good_) Get(value.emplace());
  }
  template <HasFields T>
  void Get(T& object) {
    const auto fields = Fields(object);
    std::size_t count = 0;
    Get(count);
    good_ = good_ && count == std::tuple_size_v<decltype(fields)>;
    if (good_) std::apply([this](auto&... field) { (this->Get(field), ...); }, fields);
  }

 private:
  // The length of a text or list. Each entry takes at least one byte.
  std::size_t Size() {
    std::size_t size = 0;
    Get(size);
    good_ = good_ && size <= bytes_.size();
    return good_ ? size : 0;
  }

  std::string_view bytes_;
  bool good_ = true;
};

template <std::size_t... Index>
bool GetObject(Reader& reader, std::size_t index, DecodedObject& decoded, std::index_sequence<Index...>) {
  const auto get = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    if constexpr (I != 0) reader.Get(decoded.object.emplace<I>());
  };
  const bool known = ((index == Index && (get(std::integral_constant<std::size_t, Index>()), true)) || ...);
  return known && index != 0 && reader.good();
}

}  // namespace

void KeptManifestsEncoder::Cut() {
  if (record_.size() < kRecordBytes) return;
  records_.push_back(std::move(record_));
  record_.clear();
}

void KeptManifestsEncoder::BeginFile(const std::string& path) {
  Cut();
  path_ = path;
  Writer writer(record_);
  writer.Put(Item::kFile);
  writer.Put(path);
}

void KeptManifestsEncoder::Add(const DecodedObject& object) {
  if (record_.size() >= kRecordBytes) BeginFile(std::string(path_));
  Writer writer(record_);
  writer.Put(Item::kObject);
  writer.Put(object.line);
  writer.Put(object.key);
  writer.Put(object.object.index());
  std::visit([&](const auto& of_kind) { writer.Put(of_kind); }, object.object);
}

void KeptManifestsEncoder::AddReadable(const std::string& path) {
  Cut();
  Writer writer(record_);
  writer.Put(Item::kReadable);
  writer.Put(path);
}

void KeptManifestsEncoder::AddUnread(const std::string& path) {
  Cut();
  Writer writer(record_);
  writer.Put(Item::kUnread);
  writer.Put(path);
}

std::vector<std::string> KeptManifestsEncoder::Take() && {
  Writer(record_).Put(Item::kEnd);
  records_.push_back(std::move(record_));
  return std::move(records_);
}

bool KeptManifestsDecoder::Add(std::string_view record) {
  constexpr std::size_t kKinds = std::variant_size_v<decltype(DecodedObject::object)>;
  Reader reader(record);
  std::string path;
  while (!reader.at_end()) {
    if (complete_) return false;
    Item item = Item::kEnd;
    reader.Get(item);
    if (item == Item::kObject) {
      if (kept_.files.empty()) return false;
      DecodedObject object;
      object.outcome = DecodedObject::Outcome::kAccepted;
      reader.Get(object.line);
      reader.Get(object.key);
      std::size_t kind = 0;
      reader.Get(kind);
      if (!GetObject(reader, kind, object, std::make_index_sequence<kKinds>())) return false;
      kept_.files.back().objects.push_back(std::move(object));
      continue;
    }
    if (item == Item::kEnd) {
      complete_ = reader.good();
      continue;
    }
    reader.Get(path);
    if (item == Item::kFile && (kept_.files.empty() || kept_.files.back().path != path)) {
      kept_.files.push_back({path, {}});
    }
    if (item == Item::kReadable) kept_.readable.push_back(path);
    if (item == Item::kUnread) kept_.unread.push_back(path);
    if (item > Item::kEnd) return false;
  }
  return reader.good();
}

}  // namespace sluice
