// The few kernel types that the hooks read, field by field. The loader fits the offsets to the running kernel (CO-RE),
// so the build needs no kernel's BTF.
#ifndef SLUICE_NODE_HOOK_KERNEL_TYPES_BPF_H_
#define SLUICE_NODE_HOOK_KERNEL_TYPES_BPF_H_

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
  unsigned long _nfct;  // struct nf_conn *, its three low bits an ip_conntrack_info
};

union nf_inet_addr {
  __u32 all[4];
};

struct nf_conntrack_man {
  union nf_inet_addr u3;
  union {
    __be16 all;
  } u;
  __u16 l3num;
};

struct nf_conntrack_tuple {
  struct nf_conntrack_man src;
  struct {
    union nf_inet_addr u3;
    union {
      __be16 all;
    } u;
    __u8 protonum;
    __u8 dir;
  } dst;
};

struct nf_conntrack_tuple_hash {
  struct nf_conntrack_tuple tuple;
};

struct nf_conn {
  struct nf_conntrack_tuple_hash tuplehash[2];  // the original direction, and what replies look like
  unsigned long status;
};

#pragma clang attribute pop

#endif  // SLUICE_NODE_HOOK_KERNEL_TYPES_BPF_H_
