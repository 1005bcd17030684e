// What the hooks read of a packet.
#ifndef SLUICE_NODE_HOOK_PACKET_BPF_H_
#define SLUICE_NODE_HOOK_PACKET_BPF_H_

#include <linux/types.h>

#include "layout.h"

// After the kernel's types.
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#define ETH_HEADER 14
#define ETH_IP 0x0800
#define ETH_ARP 0x0806
#define ETH_VLAN 0x8100
#define ETH_IPV6 0x86dd

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMPV6 58
#define PROTO_SCTP 132

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define TCP_URG 32

enum fragment { WHOLE, FIRST, LATER };

struct packet {
  struct sluice_address source;
  struct sluice_address destination;
  __u32 transport;  // offset of the transport header
  __u32 fragment_id;
  __u16 source_port;
  __u16 destination_port;
  __u8 protocol;
  __u8 fragment;
  __u8 icmp_type;
  __u8 hop_limit;
  __u8 is_ipv6;
};

static __always_inline int Equal(const struct sluice_address* a, const struct sluice_address* b) {
  return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2] &&
         a->words[3] == b->words[3];
}

static __always_inline void SetIpv4(struct sluice_address* address, __u32 value) {
  address->words[0] = 0;
  address->words[1] = 0;
  address->words[2] = bpf_htonl(0xffff);
  address->words[3] = value;
}

static __always_inline int HasPorts(__u32 protocol) {
  return protocol == PROTO_TCP || protocol == PROTO_UDP || protocol == PROTO_SCTP;
}

static __always_inline void ReadPorts(struct __sk_buff* skb, struct packet* packet) {
  if (packet->fragment == LATER) return;
  if (HasPorts(packet->protocol)) {
    bpf_skb_load_bytes(skb, packet->transport, &packet->source_port, 2);
    bpf_skb_load_bytes(skb, packet->transport + 2, &packet->destination_port, 2);
  } else if (packet->protocol == PROTO_ICMP || packet->protocol == PROTO_ICMPV6) {
    bpf_skb_load_bytes(skb, packet->transport, &packet->icmp_type, 1);
    const __u8 type = packet->icmp_type;
    // An echo's number tells connections apart, as conntrack has it.
    if (packet->protocol == PROTO_ICMP ? type == 0 || type == 8 : type == 128 || type == 129) {
      bpf_skb_load_bytes(skb, packet->transport + 4, &packet->source_port, 2);
      packet->destination_port = packet->source_port;
    }
  }
}

static __always_inline int ReadIpv4(struct __sk_buff* skb, struct packet* packet) {
  __u8 header[20];
  if (bpf_skb_load_bytes(skb, ETH_HEADER, header, sizeof header)) return 0;
  if ((header[0] >> 4) != 4 || (header[0] & 15) < 5) return 0;
  __u32 source, destination;
  __builtin_memcpy(&source, header + 12, 4);
  __builtin_memcpy(&destination, header + 16, 4);
  SetIpv4(&packet->source, source);
  SetIpv4(&packet->destination, destination);
  packet->protocol = header[9];
  packet->hop_limit = header[8];
  packet->transport = ETH_HEADER + (header[0] & 15) * 4;
  packet->fragment_id = header[4] << 8 | header[5];
  __u32 offset = (header[6] & 0x1f) << 8 | header[7];
  packet->fragment = offset ? LATER : (header[6] & 0x20) ? FIRST : WHOLE;
  return 1;
}

static __always_inline int ReadIpv6(struct __sk_buff* skb, struct packet* packet) {
  __u8 header[8];
  if (bpf_skb_load_bytes(skb, ETH_HEADER, header, sizeof header)) return 0;
  if (bpf_skb_load_bytes(skb, ETH_HEADER + 8, &packet->source, 16)) return 0;
  if (bpf_skb_load_bytes(skb, ETH_HEADER + 24, &packet->destination, 16)) return 0;
  packet->is_ipv6 = 1;
  packet->hop_limit = header[7];
  __u8 next = header[6];
  __u32 at = ETH_HEADER + 40;
  for (int i = 0; i < 6; ++i) {
    __u8 extension[8];
    if (next != 0 && next != 43 && next != 44 && next != 60) break;
    if (bpf_skb_load_bytes(skb, at, extension, sizeof extension)) return 0;
    if (next == 44) {
      __u32 offset = extension[2] << 8 | (extension[3] & 0xf8);
      packet->fragment = offset ? LATER : (extension[3] & 1) ? FIRST : WHOLE;
      __builtin_memcpy(&packet->fragment_id, extension + 4, 4);
      at += 8;
    } else {
      at += (extension[1] + 1) * 8;
    }
    next = extension[0];
    if (packet->fragment == LATER) break;
  }
  packet->protocol = next;
  packet->transport = at;
  return 1;
}

// 0: no IP, or none that can be read.
static __always_inline int Read(struct __sk_buff* skb, struct packet* packet) {
  int read = 0;
  if (skb->protocol == bpf_htons(ETH_IP)) read = ReadIpv4(skb, packet);
  if (skb->protocol == bpf_htons(ETH_IPV6)) read = ReadIpv6(skb, packet);
  if (read) ReadPorts(skb, packet);
  return read;
}

#endif  // SLUICE_NODE_HOOK_PACKET_BPF_H_
