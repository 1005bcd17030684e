// What the hooks (eBPF) and user space share: keys and values of the maps, and the tag of a frame. Plain C, which both
// include.
//
// A frame that is taken to the filter gets an 802.1Q tag: slot << 1 | direction. The tag's priority says whether a
// second tag is inside. A translated connection has a second tag: the number of the address that hides the client, or 0
// if the client was not hidden.
#ifndef SLUICE_NODE_HOOK_LAYOUT_H_
#define SLUICE_NODE_HOOK_LAYOUT_H_

#include <linux/types.h>

// Part of the pins' path: programs of different layouts share no map.
#define SLUICE_LAYOUT 1

#define SLUICE_SLOTS 2048                       // of interfaces; 0 belongs to none
#define SLUICE_SLOT_OF_GONE (SLUICE_SLOTS - 1)  // no interface's: counts of all interfaces that are gone
#define SLUICE_DISGUISES 4096                   // addresses that hide clients; 0: none
#define SLUICE_TAG_TRANSLATED 0x2000
#define SLUICE_TAG_BYTES 8  // room that tags need in a steering device's MTU

#define SLUICE_PLACES 65536  // directions of flows that are carried; 0 belongs to none
#define SLUICE_MARKS 16384   // tell when addresses changed
#define SLUICE_NOTED 16384   // directions by which the filter let a packet pass, since it last looked

enum sluice_direction {
  SLUICE_FROM_INTERFACE = 0,  // the frame came in by the interface
  SLUICE_TO_INTERFACE = 1,    // the frame leaves by the interface
};

enum sluice_kind {
  SLUICE_POD = 1,     // a pod's host-side interface
  SLUICE_UPLINK = 2,  // a way out of the node
  SLUICE_BRIDGE = 3,  // has pods' interfaces as ports: its frames may come from pods. Not hooked
};

// IPv4 as ::ffff:a.b.c.d. Network byte order.
struct sluice_address {
  __u32 words[4];
};

struct sluice_interface {
  __u16 slot;
  __u16 kind;
};

// A pod's interface may have this address as a source.
struct sluice_owned {
  struct sluice_address address;
  __u32 index;
};

// Addresses that the network plugin has yet to give to a pod's interface, by kind.
#define SLUICE_AWAITS_IPV4 1
#define SLUICE_AWAITS_IPV6 2
#define SLUICE_AWAITS_LINK_LOCAL 4  // of IPv6

struct sluice_slot {
  __u32 index;  // of the interface; 0: free
  char name[16];
};

// A translated connection, as its server sees it.
struct sluice_connection {
  struct sluice_address server;
  struct sluice_address peer;  // the client, or the address that hides it
  __u16 server_port;
  __u16 peer_port;
  __u32 protocol;
};

struct sluice_client {
  struct sluice_address address;  // the address at the connection's start
};

struct sluice_fragment {
  struct sluice_address source;
  struct sluice_address destination;
  __u32 id;
  __u32 protocol;
};

// One direction of a flow, at the hook that takes its packets to the filter. The addresses are those that the filter
// sees. Ports are in network byte order.
struct sluice_passage {
  struct sluice_address source;
  struct sluice_address destination;
  __u16 source_port;
  __u16 destination_port;
  __u32 index;  // of the interface
  __u16 protocol;
  __u16 direction;
};

// A carried passage: its packets pass in the kernel while `judged` is not 0 and neither end's mark is newer. The hooks
// touch only one cache line of it.
struct sluice_carried {
  // The hooks write these.
  __u64 packets;      // a frame that the kernel has yet to segment counts as its segments
  __u64 bytes;        // includes the headers of each
  __u64 last_ns;      // on CLOCK_MONOTONIC
  __u32 has_closing;  // a SYN, FIN or RST was seen, in either direction
  // The filter writes these.
  __u32 other;   // the place of the other direction; 0: it has none
  __u64 judged;  // the generation that let it pass; 0: packets go to the filter
  __u32 marks[2];
  __u64 timeout_ns;  // after this time without a packet in either direction, packets go to the filter
  __u64 reserved;

  __u64 told_packets;  // the part of `packets` that the filter's flow has counted
  __u64 told_bytes;
  __u32 is_reply;    // this is not the direction of the end that opened the flow
  __u32 is_guessed;  // it is a guess which end opened the flow
  __u64 spare[5];
};

struct sluice_carrying {
  __u64 is_on;  // the filter wants to hear what could be carried
};

enum sluice_count {
  SLUICE_TO_FILTER = 0,   // frames taken to the filter
  SLUICE_FORWARDED,       // frames that the filter let pass, put back
  SLUICE_MADE,            // frames that the filter made: resets, ICMP
  SLUICE_OWN,             // from the node itself to its own pods: passed
  SLUICE_CONTROL,         // ARP, neighbour discovery, group membership: passed
  SLUICE_SPOOFED_SOURCE,  // from a pod, with a source that is not its own: dropped
  SLUICE_SPOOFED_TUNNEL,  // from a pod to a node's address, as if another node had sent it: dropped
  SLUICE_UNASKED,         // replies of a translated connection that the filter did not let pass: dropped
  SLUICE_UNTRANSLATED,    // translation could not be undone for the filter, or done behind it: dropped
  SLUICE_MARK_LOST,       // another program removed our mark: dropped, so that it does not loop
  SLUICE_BAD_TAG,         // from the filter, with no interface's tag: dropped
  SLUICE_COUNTS,
};

struct sluice_counts {
  __u64 frames[SLUICE_COUNTS];
};

struct sluice_settings {
  __u32 steering_index;  // of the device whose other end is the filter's
};

#endif  // SLUICE_NODE_HOOK_LAYOUT_H_
