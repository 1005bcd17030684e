// The hooks: programs that take frames at a kernel interface to the filter and put back what it lets pass.
//
// A packet is judged where it is handed over, at egress of a pod's interface or of a way out of the node: there its
// destination is translated already, and conntrack knows the client, whose own address is written into the frame for
// the filter and taken out again behind it. A reply of an untranslated connection is handed over likewise, at its own
// end. A reply of a translated one is met where it comes in, at the interface where its connection was handed over:
// there it has the addresses that the filter knows. So each packet is judged once, between addresses that no service
// hides.
//
// Packets of established flows may pass without it: carry.bpf.h.
//
// `translations` holds the translated connections of which the filter let a packet pass. Their replies are taken to the
// filter; a reply of any other translated connection is dropped where it would be handed over.
#include <linux/types.h>

#include "carry.bpf.h"
#include "kernel_types.bpf.h"
#include "layout.h"
#include "packet.bpf.h"

// After the kernel's types.
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#define PASS (-1)  // TCX_NEXT: programs behind this one have their say
#define DROP 2     // TCX_DROP

// Of a frame that comes from the filter, until the hook that it is put back at: the mark says so, and the index that
// there was a mark. A pod's own programs can set the index alone; a program ahead of ours that sets marks does not know
// of the index. So both together open the hook. What the filter made has a long way before it, where other programs may
// overwrite the index.
#define MARK_FORWARDED 0x51c30000
#define MARK_MADE 0x51c40000  // kept on the way through the node, to where the frame is handed over
#define INDEX_MARKED 0x51c3

#define CT_INFO 7UL
#define CT_INFO_REPLY 3  // IP_CT_IS_REPLY: this and above
#define CT_STATUS_NAT 0x30UL

extern void* bpf_cast_to_kern_ctx(void* context) __ksym;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct sluice_settings);
} settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, struct sluice_interface);
} interfaces SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SLUICE_SLOTS);
  __type(key, __u32);
  __type(value, struct sluice_slot);
} slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, SLUICE_SLOTS);
  __type(key, __u32);
  __type(value, struct sluice_counts);
} counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct sluice_address);
  __type(value, __u8);
} node_addresses SEC(".maps");

// By pods' interfaces.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct sluice_owned);
  __type(value, __u8);
} owned SEC(".maps");

// Those of `owned`, whichever interface's.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct sluice_address);
  __type(value, __u8);
} pod_addresses SEC(".maps");

// What pods' interfaces are still to get, as SLUICE_AWAITS_; by interface.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u8);
} awaited SEC(".maps");

// Other nodes, as far as routes and tunnels name them.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct sluice_address);
  __type(value, __u8);
} other_nodes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 131072);
  __type(key, struct sluice_connection);
  __type(value, struct sluice_client);
} translations SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct sluice_fragment);
  __type(value, struct sluice_client);
} fragments SEC(".maps");

// Disguises by address and by number. A number is never given twice.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, SLUICE_DISGUISES);
  __type(key, struct sluice_address);
  __type(value, __u32);
} disguises SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SLUICE_DISGUISES);
  __type(key, __u32);
  __type(value, struct sluice_address);
} disguise_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} disguise_next SEC(".maps");

static __always_inline void Count(__u32 slot, __u32 what) {
  struct sluice_counts* slot_counts = bpf_map_lookup_elem(&counts, &slot);
  if (slot_counts) slot_counts->frames[what]++;
}

static __always_inline int IsControl(struct __sk_buff* skb, const struct packet* packet) {
  if (skb->protocol == bpf_htons(ETH_ARP)) return 1;
  if (!packet->is_ipv6 || packet->protocol != PROTO_ICMPV6 || packet->fragment != WHOLE) return 0;
  if (packet->icmp_type >= 133 && packet->icmp_type <= 137) return packet->hop_limit == 255;  // RFC 4861
  const int is_mld = (packet->icmp_type >= 130 && packet->icmp_type <= 132) || packet->icmp_type == 143;
  return is_mld && packet->hop_limit == 1;  // RFC 2710, RFC 3810
}

static __always_inline int IsIcmpError(const struct packet* packet) {
  if (packet->fragment == LATER) return 0;
  if (packet->protocol == PROTO_ICMPV6) return packet->icmp_type < 128;
  const __u8 type = packet->icmp_type;
  return packet->protocol == PROTO_ICMP && (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
}

static __always_inline int IsNode(const struct sluice_address* address) {
  return bpf_map_lookup_elem(&node_addresses, address) != 0;
}

static __always_inline int Owns(__u32 index, const struct sluice_address* address) {
  const struct sluice_owned key = {.address = *address, .index = index};
  return bpf_map_lookup_elem(&owned, &key) != 0;
}

// Whether a pod may speak of the address as its own in ARP and neighbour discovery. Its kernel does so in the moment
// when it gets an address, before user space can have said that it is the interface's: until then it may be any that is
// nobody's.
static __always_inline int MayAnnounce(__u32 index, const struct sluice_address* address) {
  if (Owns(index, address)) return 1;
  const __u8* awaits = bpf_map_lookup_elem(&awaited, &index);
  if (!awaits) return 0;
  const __u32 first = bpf_ntohl(address->words[0]);
  const int is_ipv4 = !(first | address->words[1]) && address->words[2] == bpf_htonl(0xffff);
  const __u8 kind = is_ipv4                ? SLUICE_AWAITS_IPV4
                    : first >> 22 == 0x3fa ? SLUICE_AWAITS_LINK_LOCAL  // RFC 4291 2.5.6
                                           : SLUICE_AWAITS_IPV6;
  return (*awaits & kind) && !IsNode(address) && !bpf_map_lookup_elem(&other_nodes, address) &&
         !bpf_map_lookup_elem(&pod_addresses, address);
}

// VXLAN (RFC 7348, and as Linux had it before), Geneve; IP in IP, IPv6 in IP, GRE.
static __always_inline int IsTunnel(const struct packet* packet) {
  if (packet->protocol == 4 || packet->protocol == 41 || packet->protocol == 47) return 1;
  if (packet->protocol != PROTO_UDP) return 0;
  const __u16 port = bpf_ntohs(packet->destination_port);
  return packet->fragment != LATER && (port == 4789 || port == 8472 || port == 6081);
}

// What is wrong with a frame that a pod sent, as a count of that name; SLUICE_COUNTS: nothing. An interface whose pod's
// addresses are not known yet has none.
static __always_inline __u32 SpoofOf(struct __sk_buff* skb, const struct packet* packet, int is_ip, __u32 index) {
  if (skb->protocol == bpf_htons(ETH_ARP)) {
    __u32 sender = 0;
    struct sluice_address address;
    if (bpf_skb_load_bytes(skb, ETH_HEADER + 14, &sender, 4)) return SLUICE_SPOOFED_SOURCE;
    SetIpv4(&address, sender);
    return sender == 0 || MayAnnounce(index, &address) ? SLUICE_COUNTS : SLUICE_SPOOFED_SOURCE;
  }
  if (!is_ip) return SLUICE_COUNTS;
  if (IsControl(skb, packet)) {
    const struct sluice_address* from = &packet->source;
    const int is_unspecified = !(from->words[0] | from->words[1] | from->words[2] | from->words[3]);
    if (!is_unspecified && !MayAnnounce(index, from)) return SLUICE_SPOOFED_SOURCE;
    struct sluice_address target;
    if (packet->icmp_type != 136) return SLUICE_COUNTS;  // a neighbour advertisement names its target's owner
    if (bpf_skb_load_bytes(skb, packet->transport + 8, &target, 16)) return SLUICE_SPOOFED_SOURCE;
    return MayAnnounce(index, &target) ? SLUICE_COUNTS : SLUICE_SPOOFED_SOURCE;
  }
  if (!Owns(index, &packet->source)) return SLUICE_SPOOFED_SOURCE;
  if (!IsTunnel(packet)) return SLUICE_COUNTS;
  const int is_to_node = IsNode(&packet->destination) || bpf_map_lookup_elem(&other_nodes, &packet->destination);
  return is_to_node ? SLUICE_SPOOFED_TUNNEL : SLUICE_COUNTS;
}

// Writes `to` over the packet's source or destination, which is `from`; checksums follow. 0: it cannot be done.
static __always_inline int Rewrite(struct __sk_buff* skb, const struct packet* packet, int is_source,
                                   struct sluice_address* from, struct sluice_address* to) {
  __u32 checksum = 0;
  __u64 flags = BPF_F_PSEUDO_HDR;
  if (packet->fragment != LATER) {
    if (packet->protocol == PROTO_TCP) checksum = packet->transport + 16;
    if (packet->protocol == PROTO_ICMPV6 && packet->is_ipv6) checksum = packet->transport + 2;
    if (packet->protocol == PROTO_UDP) {
      checksum = packet->transport + 6;
      flags |= BPF_F_MARK_MANGLED_0;
    }
  }
  if (packet->is_ipv6) {
    if (checksum) {
      const __s64 difference = bpf_csum_diff(from->words, 16, to->words, 16, 0);
      if (difference < 0 || bpf_l4_csum_replace(skb, checksum, 0, difference, flags)) return 0;
    }
    return bpf_skb_store_bytes(skb, ETH_HEADER + (is_source ? 8 : 24), to->words, 16, 0) == 0;
  }
  if (checksum && bpf_l4_csum_replace(skb, checksum, from->words[3], to->words[3], flags | 4)) return 0;
  if (bpf_l3_csum_replace(skb, ETH_HEADER + 10, from->words[3], to->words[3], 4)) return 0;
  return bpf_skb_store_bytes(skb, ETH_HEADER + (is_source ? 12 : 16), &to->words[3], 4, 0) == 0;
}

// The number of an address that clients are hidden behind; 0: there is none left.
static __always_inline __u32 DisguiseOf(const struct sluice_address* address) {
  const __u32* known = bpf_map_lookup_elem(&disguises, address);
  if (known) return *known;
  const __u32 zero = 0;
  __u32* next = bpf_map_lookup_elem(&disguise_next, &zero);
  if (!next || *next >= SLUICE_DISGUISES - 1) return 0;
  const __u32 number = __sync_fetch_and_add(next, 1) + 1;
  if (number >= SLUICE_DISGUISES) return 0;
  bpf_map_update_elem(&disguise_addresses, &number, address, BPF_ANY);
  bpf_map_update_elem(&disguises, address, &number, BPF_ANY);
  return number;
}

static __always_inline int Steer(struct __sk_buff* skb, __u32 slot, __u32 direction) {
  const __u32 zero = 0;
  const struct sluice_settings* set = bpf_map_lookup_elem(&settings, &zero);
  if (!set || bpf_skb_vlan_push(skb, bpf_htons(ETH_VLAN), slot << 1 | direction)) return DROP;
  Count(slot, SLUICE_TO_FILTER);
  return bpf_redirect(set->steering_index, 0);
}

// A packet of a translated connection: to the filter, with the client's own address.
static __always_inline int SteerTranslated(struct __sk_buff* skb, struct packet* packet, __u32 slot, __u32 direction,
                                           struct sluice_address* client) {
  const __u32 zero = 0;
  const struct sluice_settings* set = bpf_map_lookup_elem(&settings, &zero);
  const int is_source = direction == SLUICE_TO_INTERFACE;
  struct sluice_address* seen = is_source ? &packet->source : &packet->destination;
  __u32 disguise = 0;
  if (!Equal(seen, client)) {
    disguise = DisguiseOf(seen);
    if (!disguise || !Rewrite(skb, packet, is_source, seen, client)) goto failed;
  }
  if (!set || bpf_skb_vlan_push(skb, bpf_htons(ETH_VLAN), disguise)) goto failed;
  if (bpf_skb_vlan_push(skb, bpf_htons(ETH_VLAN), slot << 1 | direction | SLUICE_TAG_TRANSLATED)) goto failed;
  Count(slot, SLUICE_TO_FILTER);
  return bpf_redirect(set->steering_index, 0);
failed:
  Count(slot, SLUICE_UNTRANSLATED);
  return DROP;
}

// Undoes what SteerTranslated did, and notes the connection. 0: it cannot be done.
static __always_inline int Translate(struct __sk_buff* skb, __u32 index, __u32 direction, __u32 disguise, int is_made) {
  struct packet packet = {};
  if (!Read(skb, &packet)) return 0;
  if (!is_made) Note(skb, &packet, index, direction);
  const int is_source = direction == SLUICE_TO_INTERFACE;
  struct sluice_address client = is_source ? packet.source : packet.destination;
  struct sluice_address seen = client;
  if (disguise) {
    const struct sluice_address* address = bpf_map_lookup_elem(&disguise_addresses, &disguise);
    if (!address) return 0;
    seen = *address;
    if (!Rewrite(skb, &packet, is_source, &client, &seen)) return 0;
  }
  if (is_made || !is_source || packet.fragment == LATER || IsIcmpError(&packet)) return 1;
  const struct sluice_connection key = {.server = packet.destination,
                                        .peer = seen,
                                        .server_port = packet.destination_port,
                                        .peer_port = packet.source_port,
                                        .protocol = packet.protocol};
  const struct sluice_client value = {.address = client};
  const struct sluice_client* known = bpf_map_lookup_elem(&translations, &key);
  if (!known || !Equal(&known->address, &client)) bpf_map_update_elem(&translations, &key, &value, BPF_ANY);
  return 1;
}

// 1: a frame that comes from the filter. Sets the verdict where there is one.
static __always_inline int TakeMark(struct __sk_buff* skb, __u32 slot, int keep_made, int* verdict) {
  *verdict = PASS;
  if (skb->mark == MARK_MADE && keep_made) return 1;
  const int is_marked = skb->tc_index == INDEX_MARKED;
  if ((skb->mark == MARK_FORWARDED && is_marked) || skb->mark == MARK_MADE) {
    skb->mark = 0;
    skb->tc_index = 0;
    return 1;
  }
  if (skb->mark != MARK_FORWARDED && !is_marked) return 0;
  Count(slot, SLUICE_MARK_LOST);
  *verdict = DROP;
  return 1;
}

// Field by field: only so do offsets follow the kernel's.
#define READ_TUPLE_ADDRESS(address, is_ipv6, connection, end)         \
  do {                                                                \
    BPF_CORE_READ_INTO(&(address), connection, tuplehash end.u3.all); \
    if (!(is_ipv6)) SetIpv4(&(address), (address).words[0]);          \
  } while (0)

SEC("tc")
int Entering(struct __sk_buff* skb) {
  const __u32 index = skb->ifindex;
  const struct sluice_interface* interface = bpf_map_lookup_elem(&interfaces, &index);
  if (!interface) return PASS;
  const __u32 slot = interface->slot;
  int verdict;
  if (TakeMark(skb, slot, 1, &verdict)) return verdict;

  struct packet packet = {};
  const int is_ip = Read(skb, &packet);
  if (interface->kind == SLUICE_POD) {
    const __u32 spoof = SpoofOf(skb, &packet, is_ip, index);
    if (spoof != SLUICE_COUNTS) {
      Count(slot, spoof);
      return DROP;
    }
  }
  if (!is_ip) return PASS;
  if (packet.fragment == LATER) {
    struct sluice_fragment key = {.source = packet.source,
                                  .destination = packet.destination,
                                  .id = packet.fragment_id,
                                  .protocol = packet.protocol};
    struct sluice_client* of_first = bpf_map_lookup_elem(&fragments, &key);
    if (!of_first) return PASS;
    struct sluice_address client = of_first->address;
    return SteerTranslated(skb, &packet, slot, SLUICE_FROM_INTERFACE, &client);
  }
  struct sluice_connection connection = {.server = packet.source,
                                         .peer = packet.destination,
                                         .server_port = packet.source_port,
                                         .peer_port = packet.destination_port,
                                         .protocol = packet.protocol};
  struct sluice_client* found = bpf_map_lookup_elem(&translations, &connection);
  if (!found) return PASS;
  struct sluice_client client = *found;
  if (packet.fragment == FIRST) {
    struct sluice_fragment key = {.source = packet.source,
                                  .destination = packet.destination,
                                  .id = packet.fragment_id,
                                  .protocol = packet.protocol};
    bpf_map_update_elem(&fragments, &key, &client, BPF_ANY);
  }
  struct sluice_passage passage = PassageOf(&packet, index, SLUICE_FROM_INTERFACE);
  passage.destination = client.address;
  if (IsCarried(skb, &packet, &passage, slot)) return PASS;
  return SteerTranslated(skb, &packet, slot, SLUICE_FROM_INTERFACE, &client.address);
}

// A reply of a translated connection was taken to the filter where it came in, or is the node's own, or is not wanted.
static __always_inline int HandOverReply(__u32 slot, struct nf_conn* connection, int is_ipv6, __u32 came_by) {
  struct sluice_connection key = {.protocol = BPF_CORE_READ(connection, tuplehash[1].tuple.dst.protonum)};
  READ_TUPLE_ADDRESS(key.server, is_ipv6, connection, [1].tuple.src);
  READ_TUPLE_ADDRESS(key.peer, is_ipv6, connection, [1].tuple.dst);
  if (!came_by && IsNode(&key.server)) {
    Count(slot, SLUICE_OWN);
    return PASS;
  }
  if (HasPorts(key.protocol)) {
    key.server_port = BPF_CORE_READ(connection, tuplehash[1].tuple.src.u.all);
    key.peer_port = BPF_CORE_READ(connection, tuplehash[1].tuple.dst.u.all);
  } else if (key.protocol == PROTO_ICMP || key.protocol == PROTO_ICMPV6) {
    key.server_port = BPF_CORE_READ(connection, tuplehash[1].tuple.src.u.all);  // an echo's number
    key.peer_port = key.server_port;
  }
  if (bpf_map_lookup_elem(&translations, &key)) return PASS;
  Count(slot, SLUICE_UNASKED);
  return DROP;
}

SEC("tc")
int Leaving(struct __sk_buff* skb) {
  const __u32 index = skb->ifindex;
  const struct sluice_interface* interface = bpf_map_lookup_elem(&interfaces, &index);
  if (!interface) return PASS;
  const __u32 slot = interface->slot;
  int verdict;
  if (TakeMark(skb, slot, 0, &verdict)) return verdict;

  const __u32 came_by = skb->ingress_ifindex;
  if (interface->kind == SLUICE_UPLINK && came_by) {
    const struct sluice_interface* from = bpf_map_lookup_elem(&interfaces, &came_by);
    if (!from || from->kind == SLUICE_UPLINK) return PASS;
  }
  struct packet packet = {};
  const int is_ip = Read(skb, &packet);
  if (IsControl(skb, &packet)) {
    Count(slot, SLUICE_CONTROL);
    return PASS;
  }
  if (!is_ip) return Steer(skb, slot, SLUICE_TO_INTERFACE);

  struct sk_buff* kernel_skb = bpf_cast_to_kern_ctx(skb);
  const unsigned long connection_and_info = kernel_skb->_nfct;
  struct nf_conn* connection = (struct nf_conn*)(connection_and_info & ~CT_INFO);
  if (!connection || !(BPF_CORE_READ(connection, status) & CT_STATUS_NAT)) {
    if (!came_by && IsNode(&packet.source)) {
      Count(slot, SLUICE_OWN);
      return PASS;
    }
    const struct sluice_passage passage = PassageOf(&packet, index, SLUICE_TO_INTERFACE);
    if (IsCarried(skb, &packet, &passage, slot)) return PASS;
    return Steer(skb, slot, SLUICE_TO_INTERFACE);
  }

  if ((connection_and_info & CT_INFO) >= CT_INFO_REPLY || IsIcmpError(&packet)) {
    return HandOverReply(slot, connection, packet.is_ipv6, came_by);
  }
  struct sluice_address client;
  READ_TUPLE_ADDRESS(client, packet.is_ipv6, connection, [0].tuple.src);
  if (!came_by && IsNode(&client)) {
    Count(slot, SLUICE_OWN);
    return PASS;
  }
  // Without a translation noted, replies would be dropped: a packet that the filter lets pass notes it.
  const struct sluice_connection translation = {.server = packet.destination,
                                                .peer = packet.source,
                                                .server_port = packet.destination_port,
                                                .peer_port = packet.source_port,
                                                .protocol = packet.protocol};
  const struct sluice_client* noted_client = bpf_map_lookup_elem(&translations, &translation);
  if (noted_client && Equal(&noted_client->address, &client)) {
    struct sluice_passage passage = PassageOf(&packet, index, SLUICE_TO_INTERFACE);
    passage.source = client;
    if (IsCarried(skb, &packet, &passage, slot)) return PASS;
  }
  return SteerTranslated(skb, &packet, slot, SLUICE_TO_INTERFACE, &client);
}

// `is_made`: the filter made it, in answer to a frame of the other direction.
static __always_inline int Return(struct __sk_buff* skb, int is_made) {
  if (!skb->vlan_present) {
    // The kernel speaks at the steering devices too where IPv6 could not be turned off there: no filter's frame.
    struct packet packet = {};
    Read(skb, &packet);
    if (IsControl(skb, &packet)) return DROP;
    goto bad_tag;
  }
  const __u32 tag = skb->vlan_tci;
  const __u32 direction = (tag & 1) ^ is_made;
  const __u32 slot = (tag & 0xfff) >> 1;
  const struct sluice_slot* to = bpf_map_lookup_elem(&slots, &slot);
  if (!to || !to->index || bpf_skb_vlan_pop(skb)) goto bad_tag;
  const __u32 index = to->index;
  if (tag & SLUICE_TAG_TRANSLATED) {
    if (!skb->vlan_present) goto bad_tag;
    const __u32 disguise = skb->vlan_tci & 0xfff;
    if (bpf_skb_vlan_pop(skb) || !Translate(skb, index, direction, disguise, is_made)) {
      Count(slot, SLUICE_UNTRANSLATED);
      return DROP;
    }
  } else if (!is_made) {
    struct packet packet = {};
    if (Read(skb, &packet)) Note(skb, &packet, index, direction);
  }
  skb->mark = is_made ? MARK_MADE : MARK_FORWARDED;
  skb->tc_index = INDEX_MARKED;
  Count(slot, is_made ? SLUICE_MADE : SLUICE_FORWARDED);
  return bpf_redirect(index, direction == SLUICE_TO_INTERFACE ? 0 : BPF_F_INGRESS);
bad_tag:
  Count(0, SLUICE_BAD_TAG);
  return DROP;
}

SEC("tc")
int Returning(struct __sk_buff* skb) { return Return(skb, 0); }

SEC("tc")
int Answering(struct __sk_buff* skb) { return Return(skb, 1); }

char licence[] SEC("license") = "GPL";
