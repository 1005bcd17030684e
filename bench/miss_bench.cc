// A miss of the flow table (two identities, both directions, what admits them) beside rte_acl on equivalent rules; and
// the address lookup in it beside rte_fib, in turns in one process.
//
// Usage: miss_bench [ROUNDS [RULES...]]
#include <rte_acl.h>
#include <rte_errno.h>
#include <rte_fib.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "measure.h"
#include "start.h"
#include "table/classify.h"
#include "table/compile.h"
#include "traffic.h"

namespace sluice {
namespace {

constexpr std::uint32_t kBurst = Classifier::kMaxBurst;
constexpr std::uint32_t kFlows = 64 * 1024;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "miss_bench: %s\n", what.c_str());
  std::exit(1);
}

// What rte_acl reads of a packet, in network order.
struct AclKey {
  std::uint8_t protocol;
  std::uint8_t unused[3];
  std::uint32_t source;
  std::uint32_t destination;
  std::uint16_t source_port;
  std::uint16_t destination_port;
};

AclKey AclKeyOf(const FlowTuple& flow) {
  return {kProtoUdp,
          {},
          __builtin_bswap32(flow.client),
          __builtin_bswap32(flow.server),
          __builtin_bswap16(flow.client_port),
          __builtin_bswap16(flow.server_port)};
}

constexpr std::uint32_t kFields = 5;
constexpr rte_acl_field_def kAclFields[kFields] = {
    {RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, offsetof(AclKey, protocol)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, offsetof(AclKey, source)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, offsetof(AclKey, destination)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, offsetof(AclKey, source_port)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, offsetof(AclKey, destination_port)},
};
RTE_ACL_RULE_DEF(AclRule, kFields);
using AclForm = enum rte_acl_classify_alg;  // a function has the same name

// One answer a packet: the first rule of either direction that holds it. Half of what a miss needs, so it favours
// rte_acl, which would need two look-ups or categories for both directions.
class Acl {
 public:
  explicit Acl(const std::vector<FlatRule>& rules) {
    rte_acl_param parameters{};
    parameters.name = "miss";
    parameters.rule_size = RTE_ACL_RULE_SZ(kFields);
    parameters.max_rule_num = static_cast<std::uint32_t>(rules.size());
    context_ = rte_acl_create(&parameters);
    if (context_ == nullptr) Fail(std::string("rte_acl_create: ") + rte_strerror(rte_errno));
    std::uint32_t number = 0;
    for (const FlatRule& rule : rules) Add(rule, ++number);
    rte_acl_config config{};
    config.num_categories = 1;
    config.num_fields = kFields;
    std::copy(std::begin(kAclFields), std::end(kAclFields), config.defs);
    const std::uint64_t start = Clocks();
    if (const int code = rte_acl_build(context_, &config); code != 0) {
      Fail(std::string("rte_acl_build: ") + rte_strerror(-code));
    }
    build_clocks = static_cast<double>(Clocks() - start);
  }
  ~Acl() { rte_acl_free(context_); }
  Acl(const Acl&) = delete;
  Acl& operator=(const Acl&) = delete;

  bool Classify(const std::uint8_t** keys, std::uint32_t* results, AclForm form) const {
    return rte_acl_classify_alg(context_, keys, results, kBurst, 1, form) == 0;
  }

  double build_clocks = 0;

 private:
  void Add(const FlatRule& flat, std::uint32_t number) {
    const bool ingress = flat.direction == Direction::kIngress;
    AclRule rule{};
    rule.data.userdata = number;
    rule.data.category_mask = 1;
    rule.data.priority = 1;
    rule.field[0].value.u8 = kProtoUdp;
    rule.field[0].mask_range.u8 = 0xff;
    const auto set = [&](std::uint32_t field, std::uint32_t address, std::uint32_t length) {
      rule.field[field].value.u32 = address;
      rule.field[field].mask_range.u32 = length;
    };
    set(ingress ? 2 : 1, flat.pod, 32);
    set(ingress ? 1 : 2, flat.peer, flat.peer_length);
    rule.field[3].mask_range.u16 = 65535;
    rule.field[4].value.u16 = flat.first_port;
    rule.field[4].mask_range.u16 = flat.last_port;
    if (rte_acl_add_rules(context_, reinterpret_cast<const rte_acl_rule*>(&rule), 1) != 0) Fail("rte_acl_add_rules");
  }

  rte_acl_ctx* context_;
};

// The same addresses as prefixes, each pod and each peer.
class Fib {
 public:
  explicit Fib(const std::vector<FlatRule>& rules) {
    std::set<std::pair<std::uint32_t, std::uint8_t>> prefixes;
    for (const FlatRule& rule : rules) {
      prefixes.insert({rule.pod, 32});
      prefixes.insert({rule.peer & ~0u << (32 - rule.peer_length), rule.peer_length});
    }
    rte_fib_conf config{};
    config.type = RTE_FIB_DIR24_8;
    config.default_nh = 0;
    config.max_routes = static_cast<int>(prefixes.size() + 1);
    config.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    config.dir24_8.num_tbl8 = 65536;
    fib_ = rte_fib_create("miss", SOCKET_ID_ANY, &config);
    if (fib_ == nullptr) Fail(std::string("rte_fib_create: ") + rte_strerror(rte_errno));
    std::uint64_t hop = 0;
    for (const auto& [address, length] : prefixes) {
      if (rte_fib_add(fib_, address, length, ++hop) != 0) Fail("rte_fib_add");
    }
  }
  ~Fib() { rte_fib_free(fib_); }
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  void LookUp(std::uint32_t* addresses, std::uint64_t* hops) const {
    rte_fib_lookup_bulk(fib_, addresses, hops, 2 * kBurst);
  }

 private:
  rte_fib* fib_;
};

ClassifyQuery QueryOf(const FlowTuple& flow) {
  return {IpAddress::V4(flow.client), IpAddress::V4(flow.server), kProtoUdp, flow.server_port};
}

class Contest {
 public:
  explicit Contest(std::uint32_t rules)
      : traffic_(rules), flat_(traffic_.FlatRules()), acl_(flat_), fib_(flat_), rules_(rules) {
    Compiler compiler;
    auto compiled = compiler.Compile(traffic_.Policy());
    if (const auto* error = std::get_if<Diagnostic>(&compiled)) Fail(error->ToString());
    table_ = std::get<0>(compiled);
    for (std::uint32_t i = 0; i < kBurst; ++i) key_pointers_[i] = reinterpret_cast<const std::uint8_t*>(&keys_[i]);
  }

  void Run(std::uint32_t rounds) {
    std::vector<double> again, anew, avx2, avx512, scalar, addresses, fib;
    const bool has_avx512 = TryForm(RTE_ACL_CLASSIFY_AVX512X32);
    for (std::uint32_t round = 0; round < rounds; ++round) {
      again.push_back(RunClassify(classifier_, 4 * kFlows / kBurst));
      anew.push_back(RunClassify(forgetful_, kFlows / kBurst));
      if (!all_allowed_) Fail("a flow was not admitted");
      avx2.push_back(RunAcl(RTE_ACL_CLASSIFY_AVX2));
      scalar.push_back(RunAcl(RTE_ACL_CLASSIFY_SCALAR));
      if (has_avx512) avx512.push_back(RunAcl(RTE_ACL_CLASSIFY_AVX512X32));
      addresses.push_back(RunAddresses());
      fib.push_back(RunFib());
    }
    const auto print = [&](const char* bench, const char* contender, const std::vector<double>& values) {
      if (values.empty()) return;
      Result(bench, contender)
          .Number("rules", rules_)
          .Number("flows", kFlows)
          .Number("distinct_rules", static_cast<double>(flat_.size()))
          .Values("clocks", values);
    };
    print("miss", "sluice", again);
    print("miss", "sluice worked out anew", anew);
    print("miss", "rte_acl avx2", avx2);
    print("miss", "rte_acl avx512", avx512);
    print("miss", "rte_acl scalar", scalar);
    print("two addresses", "sluice", addresses);
    print("two addresses", "rte_fib", fib);
  }

 private:
  FlowTuple NextFlow() { return traffic_.Flow(random_.Below(kFlows)); }

  template <typename Work>
  double Time(std::uint32_t bursts, Work work) {
    for (std::uint32_t i = 0; i < bursts; ++i) clocks_.Add(work());
    return clocks_.Median(kBurst);
  }

  double RunClassify(Classifier& classifier, std::uint32_t bursts) {
    return Time(bursts, [&] {
      for (ClassifyQuery& query : queries_) query = QueryOf(NextFlow());
      Settle();
      const std::uint64_t start = Clocks();
      classifier.Classify(*table_, queries_, answers_.data());
      const std::uint64_t clocks = Clocks() - start;
      for (const Classification& answer : answers_) all_allowed_ &= answer.allow && answer.concerned;
      return clocks;
    });
  }

  bool TryForm(AclForm form) {
    for (AclKey& key : keys_) key = AclKeyOf(NextFlow());
    return acl_.Classify(key_pointers_.data(), results_.data(), form);
  }

  double RunAcl(AclForm form) {
    return Time(4 * kFlows / kBurst, [&] {
      for (AclKey& key : keys_) key = AclKeyOf(NextFlow());
      Settle();
      const std::uint64_t start = Clocks();
      acl_.Classify(key_pointers_.data(), results_.data(), form);
      const std::uint64_t clocks = Clocks() - start;
      for (const std::uint32_t result : results_) {
        if (result == 0) Fail("rte_acl: a flow matched no rule");
      }
      return clocks;
    });
  }

  double RunAddresses() {
    return Time(kFlows / kBurst, [&] {
      for (std::uint32_t i = 0; i < kBurst; ++i) {
        const FlowTuple flow = NextFlow();
        addresses_[2 * i] = IpAddress::V4(flow.client);
        addresses_[2 * i + 1] = IpAddress::V4(flow.server);
        ends_[2 * i] = &addresses_[2 * i];
        ends_[2 * i + 1] = &addresses_[2 * i + 1];
      }
      Settle();
      const std::uint64_t start = Clocks();
      table_->addresses().LookupBurst(ends_, entries_.data());
      return Clocks() - start;
    });
  }

  double RunFib() {
    return Time(kFlows / kBurst, [&] {
      for (std::uint32_t i = 0; i < kBurst; ++i) {
        const FlowTuple flow = NextFlow();
        words_[2 * i] = flow.client;
        words_[2 * i + 1] = flow.server;
      }
      Settle();
      const std::uint64_t start = Clocks();
      fib_.LookUp(words_.data(), hops_.data());
      return Clocks() - start;
    });
  }

  Traffic traffic_;
  std::vector<FlatRule> flat_;
  Acl acl_;
  Fib fib_;
  std::uint32_t rules_;
  std::shared_ptr<const Table> table_;
  Classifier classifier_;
  Classifier forgetful_{4};  // remembers nothing to speak of: each decision is worked out
  Random random_{1};
  BurstClocks clocks_;
  bool all_allowed_ = true;

  std::array<ClassifyQuery, kBurst> queries_;
  std::array<Classification, kBurst> answers_;
  std::array<AclKey, kBurst> keys_;
  std::array<const std::uint8_t*, kBurst> key_pointers_;
  std::array<std::uint32_t, kBurst> results_;
  std::array<IpAddress, 2 * kBurst> addresses_;
  std::array<const IpAddress*, 2 * kBurst> ends_;
  std::array<AddressEntry, 2 * kBurst> entries_;
  std::array<std::uint32_t, 2 * kBurst> words_;
  std::array<std::uint64_t, 2 * kBurst> hops_;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (!sluice::StartOnOneCore("miss_bench")) return 1;
  const auto rounds = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 15);
  std::vector<std::uint32_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(static_cast<std::uint32_t>(std::atoi(argv[i])));
  if (sizes.empty()) sizes = {1'000, 10'000, 100'000};
  for (const std::uint32_t rules : sizes) sluice::Contest(rules).Run(rounds);
  return 0;
}
