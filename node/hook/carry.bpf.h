// Carrying: flows that the filter let pass in both directions pass here. It puts each direction into `passages`, with a
// place in `carried`, and their plain packets pass, whole as the kernel has them. Whatever begins or ends a connection,
// is in fragments or has options goes up to the filter all the same. `noted` tells it what it could have carried.
#ifndef SLUICE_NODE_HOOK_CARRY_BPF_H_
#define SLUICE_NODE_HOOK_CARRY_BPF_H_

#include "packet.bpf.h"

// Filled by user space alone: what has no room there is not carried.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, SLUICE_PLACES);
  __type(key, struct sluice_passage);
  __type(value, __u32);
} passages SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, SLUICE_PLACES);
  __type(key, __u32);
  __type(value, struct sluice_carried);
} carried SEC(".maps");

// The generation that last changed what policy says of the addresses that share a mark.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, SLUICE_MARKS);
  __type(key, __u32);
  __type(value, __u64);
} marks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct sluice_carrying);
} carrying SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, SLUICE_NOTED);
  __type(key, struct sluice_passage);
  __type(value, __u8);
} noted SEC(".maps");

// Frames that were carried, by slot.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, SLUICE_SLOTS);
  __type(key, __u32);
  __type(value, __u64);
} carried_frames SEC(".maps");

// SCTP's chunks (RFC 9260 3.2). Most packets have one or two.
#define SCTP_CHUNKS 8
#define SCTP_ALONE (1u << 1 | 1u << 2 | 1u << 14)  // INIT, INIT ACK, SHUTDOWN COMPLETE: no chunk beside them
// ... and ABORT, SHUTDOWN, SHUTDOWN ACK, COOKIE ECHO, COOKIE ACK.
#define SCTP_OPENS_OR_CLOSES (SCTP_ALONE | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 11)
#define GSO_BY_FRAGS 0xffff  // segments of SCTP, each of its own size

enum plainness { ODD, OPENS_OR_CLOSES, PLAIN };

// As the filter sees it: it goes by the first chunk, and wants each to be whole.
static __always_inline int SctpPlainnessOf(struct __sk_buff* skb, __u32 at, __u32 end) {
  __u32 first = 0;
  if (skb->gso_size == GSO_BY_FRAGS) return ODD;
  for (int i = 0; i < SCTP_CHUNKS && (i == 0 || at < end); ++i) {
    __u8 chunk[4];
    if (at + sizeof chunk > end || bpf_skb_load_bytes(skb, at, chunk, sizeof chunk)) return ODD;
    const __u32 type = chunk[0], length = chunk[2] << 8 | chunk[3];
    if (length < sizeof chunk || at + length > end) return ODD;
    if (i == 0) first = type;
    if (i > 0 && type < 32 && SCTP_ALONE >> type & 1) return ODD;
    at += (length + 3) & ~3u;
  }
  if (at < end) return ODD;
  return first < 32 && SCTP_OPENS_OR_CLOSES >> first & 1 ? OPENS_OR_CLOSES : PLAIN;
}

// PLAIN: the filter would say of it what it said of its flow. `headers`: how many bytes come before the payload.
static __always_inline int PlainnessOf(struct __sk_buff* skb, const struct packet* packet, __u32* headers) {
  __u16 room;
  __u8 version, field[2];
  if (skb->vlan_present || packet->fragment != WHOLE) return ODD;
  if (packet->transport != ETH_HEADER + (packet->is_ipv6 ? 40 : 20)) return ODD;  // options, extension headers
  if (bpf_skb_load_bytes(skb, ETH_HEADER, &version, 1) || version >> 4 != (packet->is_ipv6 ? 6 : 4)) return ODD;
  if (bpf_skb_load_bytes(skb, ETH_HEADER + (packet->is_ipv6 ? 4 : 2), &room, 2)) return ODD;
  room = bpf_ntohs(room);
  if (!packet->is_ipv6) {
    if (room < 20) return ODD;
    room -= 20;
  }
  if (packet->transport + room > skb->len) return ODD;
  if (packet->protocol == PROTO_UDP) {
    if (bpf_skb_load_bytes(skb, packet->transport + 4, field, 2)) return ODD;
    const __u32 length = field[0] << 8 | field[1];
    *headers = packet->transport + 8;
    return length >= 8 && length <= room ? PLAIN : ODD;
  }
  if (packet->protocol == PROTO_SCTP) {
    *headers = packet->transport + 12;
    return SctpPlainnessOf(skb, packet->transport + 12, packet->transport + room);
  }
  if (packet->protocol != PROTO_TCP || bpf_skb_load_bytes(skb, packet->transport + 12, field, 2)) return ODD;
  const __u32 length = (field[0] >> 4) * 4;
  *headers = packet->transport + length;
  if (length < 20 || length > room) return ODD;
  if (field[1] & (TCP_FIN | TCP_SYN | TCP_RST)) return OPENS_OR_CLOSES;
  return (field[1] & (TCP_ACK | TCP_URG)) == TCP_ACK ? PLAIN : ODD;
}

static __always_inline struct sluice_passage PassageOf(const struct packet* packet, __u32 index, __u32 direction) {
  const struct sluice_passage passage = {.source = packet->source,
                                         .destination = packet->destination,
                                         .source_port = packet->source_port,
                                         .destination_port = packet->destination_port,
                                         .index = index,
                                         .protocol = packet->protocol,
                                         .direction = direction};
  return passage;
}

static __always_inline int IsStillJudged(const struct sluice_carried* place) {
  const __u64 judged = place->judged;
  const __u32 source = place->marks[0], destination = place->marks[1];
  const __u64* changed = bpf_map_lookup_elem(&marks, &source);
  if (!judged || !changed || *changed > judged) return 0;
  changed = bpf_map_lookup_elem(&marks, &destination);
  return changed && *changed <= judged;
}

static __always_inline int IsSilent(const struct sluice_carried* place, __u64 now_ns) {
  return (__s64)(now_ns - place->last_ns) > (__s64)place->timeout_ns;  // another processor's clock may be ahead
}

// Whether the packet passes by what the filter said of its flow; counts it there.
static __always_inline int IsCarried(struct __sk_buff* skb, const struct packet* packet,
                                     const struct sluice_passage* passage, __u32 slot) {
  __u32 headers = 0;
  const int plainness = PlainnessOf(skb, packet, &headers);
  if (plainness == ODD) return 0;
  const __u32* number = bpf_map_lookup_elem(&passages, passage);
  if (!number) return 0;
  const __u32 own = *number;
  struct sluice_carried* place = bpf_map_lookup_elem(&carried, &own);
  if (!place) return 0;
  const __u32 others = place->other;
  struct sluice_carried* other = others ? bpf_map_lookup_elem(&carried, &others) : 0;
  if (plainness == OPENS_OR_CLOSES) {
    place->has_closing = 1;
    if (other) other->has_closing = 1;
    return 0;
  }
  const __u64 now_ns = bpf_ktime_get_coarse_ns();
  if (place->has_closing || !IsStillJudged(place)) return 0;
  if (IsSilent(place, now_ns) && (!other || IsSilent(other, now_ns))) return 0;
  __u64 segments = 1;
  const __u32 segment = skb->gso_size, length = skb->len;
  if (segment && length > headers) segments = (length - headers + segment - 1) / segment;
  __sync_fetch_and_add(&place->packets, segments);
  __sync_fetch_and_add(&place->bytes, length + (segments - 1) * headers);
  place->last_ns = now_ns;
  __u64* frames = bpf_map_lookup_elem(&carried_frames, &slot);
  if (frames) ++*frames;
  return 1;
}

// Tells the filter where it could have a flow carried that it let a packet pass of.
static __always_inline void Note(struct __sk_buff* skb, const struct packet* packet, __u32 index, __u32 direction) {
  const __u32 zero = 0;
  const __u8 one = 1;
  __u32 headers = 0;
  const struct sluice_carrying* set = bpf_map_lookup_elem(&carrying, &zero);
  if (!set || !set->is_on || PlainnessOf(skb, packet, &headers) != PLAIN) return;
  const struct sluice_passage passage = PassageOf(packet, index, direction);
  bpf_map_update_elem(&noted, &passage, &one, BPF_NOEXIST);
}

#endif  // SLUICE_NODE_HOOK_CARRY_BPF_H_
