#include "hook/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <utility>

#include "hook/carried_maps.h"
#include "hook/pinned_map.h"
#include "hook/wire_address.h"
#include "hooks.skel.h"

namespace sluice {
namespace {

// Added in Linux 6.6; the headers that we build with may be older.
constexpr std::uint32_t kTcxIngress = 46;  // BPF_TCX_INGRESS
constexpr std::uint32_t kTcxEgress = 47;   // BPF_TCX_EGRESS
constexpr std::uint32_t kFirst = 1u << 3;  // BPF_F_BEFORE, without another program: first of all

constexpr std::array<std::pair<std::string_view, std::string_view>, SLUICE_COUNTS> kCounts = {{
    {"to_filter", "taken to the filter"},
    {"forwarded", "let pass by the filter, put back"},
    {"made", "made by the filter: resets and ICMP"},
    {"own", "of the node itself with its own pods, passed"},
    {"control", "ARP, neighbour discovery, group membership, passed"},
    {"spoofed_source", "from a pod, with a source address that is not its own, dropped"},
    {"spoofed_tunnel", "from a pod to a node's address, as tunnels between nodes are, dropped"},
    {"unasked", "replies of a translated connection that the filter let nothing pass of, dropped"},
    {"untranslated", "translation could not be undone for the filter, dropped"},
    {"mark_lost", "another tc program took our mark away, dropped"},
    {"bad_tag", "from the filter, of no interface, dropped"},
}};

// The last words of libbpf, for the error of the call that caused them.
std::string& LibbpfWords() {
  static std::string words;
  return words;
}

int KeepWords(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[512];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  if (LibbpfWords().size() < 4096) LibbpfWords() += line;
  return length;
}

std::string TakeWords(int code) {
  std::string words = std::exchange(LibbpfWords(), {});
  while (!words.empty() && words.back() == '\n') words.pop_back();
  const std::string reason = std::strerror(code < 0 ? -code : code);
  return words.empty() ? reason : reason + " (" + words + ")";
}

std::set<IpAddress> ReadAddresses(int map) {
  std::set<IpAddress> addresses;
  sluice_address address{};
  for (sluice_address* at = nullptr; bpf_map_get_next_key(map, at, &address) == 0; at = &address) {
    addresses.insert(FromWire(address));
  }
  return addresses;
}

// Replaces the keys of a map by these; `known` holds the present keys.
void SetAddresses(int map, const std::vector<IpAddress>& addresses, std::set<IpAddress>& known) {
  std::set<IpAddress> wanted(addresses.begin(), addresses.end());
  for (const IpAddress& address : wanted) {
    if (known.contains(address)) continue;
    const sluice_address key = ToWire(address);
    const std::uint8_t value = 1;
    bpf_map_update_elem(map, &key, &value, BPF_ANY);
  }
  for (const IpAddress& address : known) {
    if (wanted.contains(address)) continue;
    const sluice_address key = ToWire(address);
    bpf_map_delete_elem(map, &key);
  }
  known = std::move(wanted);
}

std::vector<std::pair<std::uint32_t, IpAddress>> ReadOwned(int map) {
  std::vector<std::pair<std::uint32_t, IpAddress>> owned;
  sluice_owned key{};
  for (sluice_owned* at = nullptr; bpf_map_get_next_key(map, at, &key) == 0; at = &key) {
    owned.emplace_back(key.index, FromWire(key.address));
  }
  return owned;
}

std::uint16_t KindOf(Role role) {
  constexpr std::uint16_t kKinds[] = {SLUICE_POD, SLUICE_UPLINK, SLUICE_BRIDGE};
  return kKinds[static_cast<int>(role)];
}

Role RoleOf(std::uint16_t kind) {
  return kind == SLUICE_UPLINK ? Role::kUplink : kind == SLUICE_BRIDGE ? Role::kBridge : Role::kPod;
}

// BPF_LINK_CREATE for tcx, which libbpf has since 1.3.
int CreateTcxLink(int program, std::uint32_t index, bool is_ingress) {
  struct {
    std::uint32_t program;
    std::uint32_t index;
    std::uint32_t attach_type;
    std::uint32_t flags;
    std::uint32_t relative;
    std::uint32_t padding;
    std::uint64_t expected_revision;
  } request = {static_cast<std::uint32_t>(program), index, is_ingress ? kTcxIngress : kTcxEgress, kFirst, 0, 0, 0};
  const long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof request);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

// Returns the interface of a pinned link; 0: the interface is gone.
std::uint32_t InterfaceOfLink(int link) {
  bpf_link_info info{};
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(link, &info, &size) != 0) return 0;
  return info.xdp.ifindex;  // tcx has it in the same place
}

struct Place {
  bool is_attached = false;
  bool is_first = false;
};

Place PlaceOf(const PinPath& pins, std::uint32_t index, bool is_ingress) {
  Place place;
  const int link = bpf_obj_get(LinkPath(pins, index, is_ingress).c_str());
  if (link < 0) return place;
  bpf_link_info info{};
  std::uint32_t size = sizeof info;
  place.is_attached = bpf_obj_get_info_by_fd(link, &info, &size) == 0 && info.xdp.ifindex == index;
  close(link);
  std::uint32_t programs[64];
  std::uint32_t count = 64;
  const auto type = static_cast<bpf_attach_type>(is_ingress ? kTcxIngress : kTcxEgress);
  const bool is_told = bpf_prog_query(static_cast<int>(index), type, 0, nullptr, programs, &count) == 0;
  place.is_first = place.is_attached && is_told && count > 0 && programs[0] == info.prog_id;
  return place;
}

std::vector<std::string> FilesOf(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const open_folder = opendir(folder.c_str());
  if (open_folder == nullptr) return names;
  while (const dirent* entry = readdir(open_folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(open_folder);
  return names;
}

std::optional<std::string> MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return std::nullopt;
  return path + ": cannot be made: " + std::strerror(errno);
}

std::uint64_t CarriedAt(int carried, std::uint32_t slot) {
  const int cpus = libbpf_num_possible_cpus();
  std::vector<std::uint64_t> each(static_cast<std::size_t>(std::max(cpus, 1)));
  if (cpus <= 0 || bpf_map_lookup_elem(carried, &slot, each.data()) != 0) return 0;
  return std::accumulate(each.begin(), each.end(), std::uint64_t{0});
}

std::vector<sluice_counts> CountsOf(int counts, std::uint32_t slot) {
  std::vector<sluice_counts> each(static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
  if (bpf_map_lookup_elem(counts, &slot, each.data()) != 0) each.clear();
  return each;
}

FrameCounts SumOfCpus(int counts, std::uint32_t slot) {
  FrameCounts sum{};
  for (const sluice_counts& cpu : CountsOf(counts, slot)) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += cpu.frames[i];
  }
  return sum;
}

// Keeps the counts, so that sums over all interfaces never fall. Only this process writes the counts of gone ones.
void KeepCounts(int counts, std::uint32_t slot) {
  constexpr std::uint32_t kGone = SLUICE_SLOT_OF_GONE;
  if (slot == kGone) return;  // hooks of an older process may have used it
  std::vector<sluice_counts> kept = CountsOf(counts, kGone);
  const std::vector<sluice_counts> added = CountsOf(counts, slot);
  if (kept.empty() || added.size() != kept.size()) return;
  for (std::size_t cpu = 0; cpu < kept.size(); ++cpu) {
    for (int i = 0; i < SLUICE_COUNTS; ++i) kept[cpu].frames[i] += added[cpu].frames[i];
  }
  bpf_map_update_elem(counts, &kGone, kept.data(), BPF_ANY);
}

}  // namespace

std::string_view CountName(int count) { return kCounts[static_cast<std::size_t>(count)].first; }
std::string_view CountText(int count) { return kCounts[static_cast<std::size_t>(count)].second; }

Hooks::Hooks(const PinPath& pins) : pins_(pins) {}

Hooks::~Hooks() { sluice_hooks_bpf__destroy(skeleton_); }

std::variant<std::unique_ptr<Hooks>, std::string> Hooks::Load(const PinPath& pins) {
  libbpf_set_print(KeepWords);
  std::unique_ptr<Hooks> hooks(new Hooks(pins));
  for (const std::string& path : {pins.base.substr(0, pins.base.rfind('/')), pins.base, pins.folder}) {
    if (auto error = MakeFolder(path)) return std::move(*error);
  }
  hooks->skeleton_ = sluice_hooks_bpf__open();
  if (hooks->skeleton_ == nullptr) return "hooks: not opened: " + TakeWords(errno);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, hooks->skeleton_->obj) {
    if (bpf_map__is_internal(map)) continue;
    const std::string path = pins.folder + "/" + bpf_map__name(map);
    if (const int code = bpf_map__set_pin_path(map, path.c_str()); code != 0) return path + ": " + TakeWords(code);
  }
  if (const int code = sluice_hooks_bpf__load(hooks->skeleton_); code != 0) {
    return "hooks: the kernel does not take them: " + TakeWords(code) + "; `sluice-node check` says what it lacks";
  }
  hooks->FindHooks();
  return hooks;
}

// Finds what an earlier process pinned.
void Hooks::FindHooks() {
  const int slots = bpf_map__fd(skeleton_->maps.slots);
  const int interfaces = bpf_map__fd(skeleton_->maps.interfaces);
  std::uint32_t index = 0;
  for (std::uint32_t* at = nullptr; bpf_map_get_next_key(interfaces, at, &index) == 0; at = &index) {
    sluice_interface value{};
    if (bpf_map_lookup_elem(interfaces, &index, &value) != 0) continue;
    Hook hook{value.slot, {index, "", RoleOf(value.kind), 0}, false};
    const std::uint32_t slot = value.slot;
    sluice_slot entry{};
    if (slot != 0 && bpf_map_lookup_elem(slots, &slot, &entry) == 0) hook.planned.name = entry.name;
    last_slot_ = std::max(last_slot_, value.slot);
    hooks_.emplace(index, std::move(hook));
  }
  node_addresses_ = ReadAddresses(bpf_map__fd(skeleton_->maps.node_addresses));
  other_nodes_ = ReadAddresses(bpf_map__fd(skeleton_->maps.other_nodes));
  for (const auto& [owner, address] : Owned()) AddOwned(owner, address);  // older hooks had no map by address
  const int awaited = bpf_map__fd(skeleton_->maps.awaited);
  for (std::uint32_t* at = nullptr; bpf_map_get_next_key(awaited, at, &index) == 0; at = &index) {
    std::uint8_t kinds = 0;
    if (bpf_map_lookup_elem(awaited, &index, &kinds) == 0) awaited_.emplace(index, kinds);
  }
}

// Returns the slot that was free longest: frames of an interface that is gone may still be at the filter.
std::optional<std::uint16_t> Hooks::TakeSlot() {
  std::set<std::uint16_t> used;
  for (const auto& [index, hook] : hooks_) used.insert(hook.slot);
  constexpr int kMost = SLUICE_SLOT_OF_GONE - 1;
  for (int tries = 0; tries < kMost; ++tries) {
    last_slot_ = static_cast<std::uint16_t>(last_slot_ % kMost + 1);
    if (!used.contains(last_slot_)) return last_slot_;
  }
  return std::nullopt;
}

std::optional<std::string> Hooks::Attach(std::uint32_t index, bool is_ingress, int program) {
  const std::string path = LinkPath(pins_, index, is_ingress);
  if (const int link = bpf_obj_get(path.c_str()); link >= 0) {
    const bool is_there = InterfaceOfLink(link) == index;
    const int code = is_there ? bpf_link_update(link, program, nullptr) : 0;
    close(link);
    if (is_there) return code == 0 ? std::nullopt : std::optional(path + ": not renewed: " + TakeWords(code));
    unlink(path.c_str());
  }
  const int link = CreateTcxLink(program, index, is_ingress);
  if (link < 0) return std::string("not attached: ") + std::strerror(-link);
  const int code = bpf_obj_pin(link, path.c_str());
  const int reason = errno;
  close(link);
  if (code != 0) return path + ": not pinned: " + std::strerror(reason);
  return std::nullopt;
}

std::optional<std::string> Hooks::AttachSteering(std::uint32_t in, std::uint32_t out) {
  const std::uint32_t zero = 0;
  const sluice_settings settings{in};
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.settings), &zero, &settings, BPF_ANY) != 0) {
    return "hooks: the steering device is not noted: " + TakeWords(errno);
  }
  if (const auto error = Attach(out, true, bpf_program__fd(skeleton_->progs.Returning))) {
    return "device " + std::string(kSteeringOut) + ": " + *error;
  }
  if (const auto error = Attach(in, true, bpf_program__fd(skeleton_->progs.Answering))) {
    return "device " + std::string(kSteeringIn) + ": " + *error;
  }
  return std::nullopt;
}

void Hooks::WriteSlot(const Hook& hook) {
  const std::uint32_t slot = hook.slot;
  sluice_slot value{};
  value.index = hook.planned.index;
  hook.planned.name.copy(value.name, sizeof value.name - 1);
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.slots), &slot, &value, BPF_ANY);
}

void Hooks::WriteRole(const Hook& hook) {
  const sluice_interface value{hook.slot, KindOf(hook.planned.role)};
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.interfaces), &hook.planned.index, &value, BPF_ANY);
}

// The interface's values are in the maps before the programs run.
std::optional<std::string> Hooks::Add(const PlannedHook& planned) {
  Hook& hook = hooks_[planned.index];
  hook.planned = planned;
  if (planned.role == Role::kBridge) {
    WriteRole(hook);
    hook.is_attached = true;
    return std::nullopt;
  }
  if (hook.slot == 0) {
    const auto slot = TakeSlot();
    if (!slot) {
      hooks_.erase(planned.index);
      return "no more than " + std::to_string(SLUICE_SLOT_OF_GONE - 1) + " interfaces can be hooked";
    }
    hook.slot = *slot;
    const std::uint32_t key = *slot;
    const std::vector<sluice_counts> none(static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
    bpf_map_update_elem(bpf_map__fd(skeleton_->maps.counts), &key, none.data(), BPF_ANY);
  }
  WriteSlot(hook);
  WriteRole(hook);
  if (auto error = Attach(planned.index, false, bpf_program__fd(skeleton_->progs.Leaving))) return error;
  if (auto error = Attach(planned.index, true, bpf_program__fd(skeleton_->progs.Entering))) return error;
  hook.is_attached = true;
  return std::nullopt;
}

void Hooks::Remove(std::uint32_t index) {
  const auto found = hooks_.find(index);
  if (found == hooks_.end()) return;
  unlink(LinkPath(pins_, index, true).c_str());
  unlink(LinkPath(pins_, index, false).c_str());
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.interfaces), &index);
  SetAwaited(index, 0);
  if (const std::uint32_t slot = found->second.slot; slot != 0) {
    KeepCounts(bpf_map__fd(skeleton_->maps.counts), slot);
    const sluice_slot none{};
    bpf_map_update_elem(bpf_map__fd(skeleton_->maps.slots), &slot, &none, BPF_ANY);
  }
  hooks_.erase(found);
}

Hooks::Changes Hooks::Apply(const std::vector<PlannedHook>& planned) {
  Changes changes;
  std::set<std::uint32_t> wanted;
  for (const PlannedHook& hook : planned) wanted.insert(hook.index);
  std::vector<std::uint32_t> gone;
  for (const auto& [index, hook] : hooks_) {
    if (!wanted.contains(index)) gone.push_back(index);
  }
  for (const std::uint32_t index : gone) {
    changes.done.push_back("interface " + hooks_[index].planned.name + ": no longer hooked");
    Remove(index);
  }
  for (const PlannedHook& hook : planned) {
    const auto known = hooks_.find(hook.index);
    const bool is_known = known != hooks_.end();
    if (is_known && known->second.is_attached && known->second.planned.role != hook.role) {
      Remove(hook.index);
    } else if (is_known && known->second.is_attached) {
      if (known->second.planned.name != hook.name) {
        changes.done.push_back("interface " + known->second.planned.name + ": is called " + hook.name + " now");
      }
      const bool is_renamed = known->second.planned.name != hook.name;
      known->second.planned = hook;
      if (is_renamed && hook.role != Role::kBridge) WriteSlot(known->second);
      continue;
    } else if (is_known && (known->second.planned.role == Role::kBridge) != (hook.role == Role::kBridge)) {
      Remove(hook.index);
    }
    if (auto error = Add(hook)) {
      changes.failed.push_back("interface " + hook.name + ": " + *error);
    } else if (!is_known) {
      changes.done.push_back(
          "interface " + hook.name + ": " +
          (hook.role == Role::kBridge ? "is a bridge of pods" : "hooked as " + std::string(Name(hook.role))));
    }
  }
  return changes;
}

void Hooks::SetNodeAddresses(const std::vector<IpAddress>& addresses) {
  SetAddresses(bpf_map__fd(skeleton_->maps.node_addresses), addresses, node_addresses_);
}

void Hooks::SetOtherNodes(const std::vector<IpAddress>& addresses) {
  SetAddresses(bpf_map__fd(skeleton_->maps.other_nodes), addresses, other_nodes_);
}

void Hooks::AddOwned(std::uint32_t index, const IpAddress& address) {
  const sluice_owned key{ToWire(address), index};
  const std::uint8_t value = 1;
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.owned), &key, &value, BPF_ANY);
  owners_[address].insert(index);
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.pod_addresses), &key.address, &value, BPF_ANY);
}

void Hooks::RemoveOwned(std::uint32_t index, const IpAddress& address) {
  const sluice_owned key{ToWire(address), index};
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.owned), &key);
  const auto owners = owners_.find(address);
  if (owners == owners_.end() || owners->second.erase(index) == 0 || !owners->second.empty()) return;
  owners_.erase(owners);
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.pod_addresses), &key.address);
}

void Hooks::SetAwaited(std::uint32_t index, std::uint8_t kinds) {
  const auto known = awaited_.find(index);
  if (known != awaited_.end() ? known->second == kinds : kinds == 0) return;
  const int map = bpf_map__fd(skeleton_->maps.awaited);
  if (kinds == 0) {
    awaited_.erase(index);
    bpf_map_delete_elem(map, &index);
  } else {
    awaited_[index] = kinds;
    bpf_map_update_elem(map, &index, &kinds, BPF_ANY);
  }
}

std::vector<std::pair<std::uint32_t, IpAddress>> Hooks::Owned() const {
  return ReadOwned(bpf_map__fd(skeleton_->maps.owned));
}

std::optional<HooksState> ReadHooks(const PinPath& pins) {
  const int interfaces = bpf_obj_get((pins.folder + "/interfaces").c_str());
  const int slots = bpf_obj_get((pins.folder + "/slots").c_str());
  const int counts = bpf_obj_get((pins.folder + "/counts").c_str());
  const int owned = bpf_obj_get((pins.folder + "/owned").c_str());
  const int carried = bpf_obj_get((pins.folder + "/carried_frames").c_str());  // if it is missing, nothing is carried
  std::optional<HooksState> state;
  if (interfaces >= 0 && slots >= 0 && counts >= 0 && owned >= 0) {
    state.emplace();
    state->nobodys = SumOfCpus(counts, 0);
    state->carried_flows = CountCarriedFlows(pins).value_or(0);
    state->gone = SumOfCpus(counts, SLUICE_SLOT_OF_GONE);
    std::uint32_t index = 0;
    for (std::uint32_t* at = nullptr; bpf_map_get_next_key(interfaces, at, &index) == 0; at = &index) {
      sluice_interface value{};
      if (bpf_map_lookup_elem(interfaces, &index, &value) != 0 || value.kind == SLUICE_BRIDGE) continue;
      const std::uint32_t slot = value.slot;
      sluice_slot entry{};
      if (bpf_map_lookup_elem(slots, &slot, &entry) != 0) continue;
      entry.name[sizeof entry.name - 1] = 0;
      const Place in = PlaceOf(pins, index, true);
      const Place out = PlaceOf(pins, index, false);
      state->hooks.push_back({index,
                              entry.name,
                              RoleOf(value.kind),
                              in.is_attached && out.is_attached,
                              in.is_first && out.is_first,
                              SumOfCpus(counts, slot),
                              CarriedAt(carried, slot),
                              {}});
    }
    for (const auto& [owner, address] : ReadOwned(owned)) {
      for (HookState& hook : state->hooks) {
        if (hook.index == owner) hook.addresses.push_back(address);
      }
    }
    for (HookState& hook : state->hooks) std::sort(hook.addresses.begin(), hook.addresses.end());
    std::sort(state->hooks.begin(), state->hooks.end(),
              [](const HookState& a, const HookState& b) { return a.index < b.index; });
  }
  for (const int fd : {interfaces, slots, counts, owned, carried}) {
    if (fd >= 0) close(fd);
  }
  return state;
}

std::optional<FrameCounts> ReadFrameCounts(const PinPath& pins) {
  const int interfaces = bpf_obj_get((pins.folder + "/interfaces").c_str());
  const int counts = bpf_obj_get((pins.folder + "/counts").c_str());
  std::optional<FrameCounts> sum;
  if (interfaces >= 0 && counts >= 0) {
    sum.emplace();
    std::set<std::uint32_t> slots = {0, SLUICE_SLOT_OF_GONE};
    std::uint32_t index = 0;
    for (std::uint32_t* at = nullptr; bpf_map_get_next_key(interfaces, at, &index) == 0; at = &index) {
      sluice_interface value{};
      if (bpf_map_lookup_elem(interfaces, &index, &value) == 0) slots.insert(value.slot);
    }
    for (const std::uint32_t slot : slots) {
      const FrameCounts frames = SumOfCpus(counts, slot);
      for (std::size_t i = 0; i < frames.size(); ++i) (*sum)[i] += frames[i];
    }
  }
  for (const int fd : {interfaces, counts}) {
    if (fd >= 0) close(fd);
  }
  return sum;
}

bool IsNodeOfHooks(const PinPath& pins, const IpAddress& address) {
  const sluice_address key = ToWire(address);
  const auto has_it = [&](const char* map) {
    std::uint8_t value = 0;
    return PinnedMap(pins.folder + map).Find(key, value);
  };
  return has_it("/node_addresses") || has_it("/other_nodes");
}

std::optional<std::string> RemoveHooks(const PinPath& pins) {
  for (const std::string& layout : FilesOf(pins.base)) {
    const std::string folder = pins.base + "/" + layout;
    // Remove programs first, and those at interfaces before those that bring frames back.
    std::vector<std::string> files = FilesOf(folder);
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      const std::string path = folder + "/" + file;
      if (unlink(path.c_str()) != 0) return path + ": not removed: " + std::strerror(errno);
    }
    if (rmdir(folder.c_str()) != 0) return folder + ": not removed: " + std::strerror(errno);
  }
  if (rmdir(pins.base.c_str()) != 0 && errno != ENOENT) return pins.base + ": not removed: " + std::strerror(errno);
  rmdir(pins.base.substr(0, pins.base.rfind('/')).c_str());  // fails if another namespace has pins
  return std::nullopt;
}

}  // namespace sluice
