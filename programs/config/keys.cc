#include "config/keys.h"

namespace sluice {
namespace {

constexpr std::uint64_t kMaxSeconds = 10'000'000;

template <typename Integer>
NumberKey Number(Integer& target, std::uint64_t min, std::uint64_t max) {
  return {&target, min, max};
}

template <typename Enum>
ChoiceKey Choice(Enum& target, std::vector<std::string_view> choices) {
  static_assert(sizeof(Enum) == 1);
  return {reinterpret_cast<std::uint8_t*>(&target), std::move(choices)};
}

void AddPolicyKeys(PipelineConfig& pipeline, std::vector<Key>& keys) {
  keys.push_back({"action_on_deny", Choice(pipeline.action_on_deny, {"drop", "reject"}), "",
                  "`reject` answers what a policy denies: a TCP reset, or ICMP administratively prohibited"});
  keys.push_back({"rejects_per_second", Number(pipeline.rejects_per_second, 0, 100'000'000), "answers a worker",
                  "beyond it, denied packets are dropped without an answer"});
  keys.push_back({"fail_closed", BoolKey{&pipeline.fail_closed}, "",
                  "until the first policy has been loaded, drop all IP (`no_policy`) instead of forwarding it"});
  keys.push_back({"drop_unknown_endpoint", BoolKey{&pipeline.drop_unknown_endpoint}, "",
                  "drop what goes to or comes from an address inside a node's pod CIDRs that no pod and no node has"});
  keys.push_back({"encapsulation", Choice(pipeline.encapsulation, {"pass", "refuse"}), "",
                  "tunnels between nodes, whose content is not read: `refuse` drops them (`encapsulated`)"});
  keys.push_back({"tcp_strict", BoolKey{&pipeline.tcp_strict}, "",
                  "drop TCP that has no flow and is no SYN (`tcp_no_syn`) instead of judging it as a new connection"});
  keys.push_back({"pass_ethertypes", EtherTypesKey{&pipeline.parse.pass_ethertypes}, "",
                  "EtherTypes forwarded unfiltered, besides ARP; for example `[0x88cc]` for LLDP"});
  keys.push_back({"max_ipv6_extension_headers", Number(pipeline.parse.max_ipv6_extension_headers, 0, 64), "headers",
                  "a packet with more is dropped (`ipv6_extension_depth`)"});
}

void AddApiKeys(Config& config, std::vector<Key>& keys) {
  ApiSettings& api = config.api;
  keys.push_back({"listen", TextListKey{&api.listen, "`unix:/run/sluice/sluiced.sock`"}, "",
                  "where the control API listens: `unix:PATH`, or `HOST:PORT` with the keys of `tls`"});
  keys.push_back(
      {"state", TextKey{&config.state, "none"}, "", "folder where policy is kept and found again at the next start"});
  keys.push_back(
      {"run", TextKey{&config.run, "`/run/sluice`"}, "",
       "folder in memory that says, over a restart, that `state` lacks policy; several `sluiced` may share it"});
  keys.push_back(
      {"tls.certificate", TextKey{&api.tls_certificate, "none"}, "",
       "PEM file: the certificate chain of TCP addresses; read again when it changes, as are the next three"});
  keys.push_back({"tls.key", TextKey{&api.tls_key, "none"}, "", "PEM file: its private key"});
  keys.push_back({"tls.client_ca", TextKey{&api.tls_client_ca, "none"}, "",
                  "PEM file: who must have signed the certificate of whoever connects by TCP"});
  keys.push_back({"tls.viewer_ca", TextKey{&api.tls_viewer_ca, "none"}, "",
                  "PEM file: who else may have signed it; such a client may ask for everything and push nothing"});
  keys.push_back({"http", TextKey{&config.http, "none"}, "",
                  "where `/metrics`, `/healthz`, `/readyz` and the [page](seeing.md#the-page) are served: `HOST:PORT`, "
                  "plain HTTP"});
  keys.push_back({"http_page_token", TextKey{&config.http_page_token, "none"}, "",
                  "file whose first line is a token: whoever has it sees the page from anywhere; without it, this host "
                  "alone does"});
  keys.push_back({"http_policies", Number(config.http_policies, 0, 100'000), "policies",
                  "that have series of their own in `/metrics`, the first that are hit; the others share one"});
  keys.push_back({"insecure", BoolKey{&api.insecure}, "", "listen at TCP addresses without TLS; said at every start"});
}

void AddTimeoutKeys(Timeouts& timeouts, std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view name, std::uint32_t& target, std::string_view text) {
    keys.push_back({"timeouts." + std::string(name), Number(target, 1, kMaxSeconds), "s", text});
  };
  add("tcp_syn_sent", timeouts.tcp_syn_sent, "SYN seen, no answer yet");
  add("tcp_syn_recv", timeouts.tcp_syn_recv, "SYN and SYN+ACK seen");
  add("tcp_established", timeouts.tcp_established, "handshake complete");
  add("tcp_fin_wait", timeouts.tcp_fin_wait, "the first FIN seen");
  add("tcp_close_wait", timeouts.tcp_close_wait, "the first FIN acknowledged");
  add("tcp_last_ack", timeouts.tcp_last_ack, "both FINs seen");
  add("tcp_time_wait", timeouts.tcp_time_wait, "both FINs acknowledged");
  add("tcp_close", timeouts.tcp_close, "a reset seen");
  add("tcp_unacknowledged", timeouts.tcp_unacknowledged,
      "picked up without its SYN, no packet of the other side yet; or cut");
  add("udp", timeouts.udp, "packets of one side only");
  add("udp_stream", timeouts.udp_stream, "packets of both sides");
  add("sctp_closed", timeouts.sctp_closed, "an SCTP chunk that opens nothing, or ABORT");
  add("sctp_cookie_wait", timeouts.sctp_cookie_wait, "INIT seen");
  add("sctp_cookie_echoed", timeouts.sctp_cookie_echoed, "COOKIE ECHO seen");
  add("sctp_established", timeouts.sctp_established, "COOKIE ACK seen");
  add("sctp_shutdown_sent", timeouts.sctp_shutdown_sent, "SHUTDOWN by the client");
  add("sctp_shutdown_recd", timeouts.sctp_shutdown_recd, "SHUTDOWN by the server");
  add("sctp_shutdown_ack_sent", timeouts.sctp_shutdown_ack_sent, "SHUTDOWN ACK seen");
  add("sctp_heartbeat_sent", timeouts.sctp_heartbeat_sent, "picked up by a HEARTBEAT, no answer yet");
  add("icmp", timeouts.icmp, "ICMP and ICMPv6 queries");
  add("generic", timeouts.generic, "every other protocol");
}

void AddSizeKeys(Config& config, std::vector<Key>& keys) {
  PipelineConfig& pipeline = config.pipeline;
  keys.push_back({"flows.ipv4", Number(pipeline.flow_capacity_ipv4, 64, 1u << 28), "flows a worker",
                  "connections tracked; memory for them is taken at start"});
  keys.push_back(
      {"flows.ipv6", Number(pipeline.flow_capacity_ipv6, 64, 1u << 28), "flows a worker", "the same for IPv6"});
  keys.push_back({"fragments.trains", Number(pipeline.fragment_trains, 1, 1u << 22), "datagrams a worker",
                  "fragmented datagrams under way at once"});
  keys.push_back({"fragments.held", Number(pipeline.fragments_held, 0, 1u << 20), "frames a worker",
                  "fragments that wait for their first one"});
  keys.push_back({"fragments.held_each", Number(pipeline.fragments_held_each, 0, 1u << 16), "frames a datagram",
                  "the same, of one datagram"});
  keys.push_back({"fragments.timeout_ms", Number(pipeline.fragment_timeout_ms, 1, 120'000), "ms",
                  "for all fragments of a datagram to arrive"});
  keys.push_back({"limits.rules", Number(config.limits.rules, 1, 1u << 31), "rules",
                  "a policy with more is refused; the table in force stays"});
  keys.push_back({"limits.identities", Number(config.limits.identities, 1, 1u << 31), "identities", "the same"});
  keys.push_back({"limits.table_bytes", Number(config.limits.table_bytes, 1u << 20, std::uint64_t{1} << 40), "bytes",
                  "the same, for the compiled table"});
}

void AddDnsKeys(Config& config, std::vector<Key>& keys) {
  keys.push_back({"dns.resolvers", TextListKey{&config.dns_resolvers, "none: DNS is not read"}, "",
                  "whose answers count for rules by domain name: addresses, or pods as "
                  "`NAMESPACE/LABEL=VALUE[,LABEL=VALUE]`, such as `kube-system/k8s-app=kube-dns`"});
  keys.push_back({"dns.port", Number(config.dns_port, 1, 65535), "",
                  "theirs, as packets have it where the filter stands, over UDP and TCP"});
  keys.push_back({"dns.hold_ms", Number(config.pipeline.dns.hold_ms, 1, 1000), "ms",
                  "an answer waits at most so long until what it says is in force; it takes a fraction of one"});
  keys.push_back({"dns.held", Number(config.pipeline.dns.held, 1, 4096), "answers a worker",
                  "that wait at once; with one more, the oldest goes on"});
}

void AddEdgeKeys(EdgeSettings& edge, std::vector<Key>& keys) {
  keys.push_back({"cores", CoresKey{&edge.cores}, "CPU numbers",
                  "such as `0,2-4`: the first for the control thread, each further one a worker; empty: the first two "
                  "that the process may use; a single one is shared by both"});
  keys.push_back(
      {"idle", Choice(edge.idle, {"auto", "poll", "sleep"}), "",
       "what a worker does when no packet comes: `poll` on, or `sleep`: until the interface has a packet "
       "(`af_packet`, `af_xdp`, one worker), else some tens of microseconds (a millisecond after a second "
       "of silence); `auto` sleeps where every port is a kernel interface, or worker and control share a core"});
  keys.push_back({"bpffs", TextKey{&edge.bpffs, "`/sys/fs/bpf`"}, "",
                  "where `sluice-node` pins the hooks, whose interfaces `sluicectl drops` names"});
  keys.push_back({"carry", BoolKey{&edge.carry}, "",
                  "with the wire `hooks`: let packets of established flows pass in the kernel, as fast as without a "
                  "filter; `false`: each goes to a worker, with the same verdicts"});
  keys.push_back({"no_huge", BoolKey{&edge.no_huge}, "",
                  "take ordinary memory; so it does by itself, and says so, where no hugepages are free"});
  keys.push_back(
      {"memory_mb", Number(edge.memory_mb, 0, 1u << 20), "MB", "for packet buffers; 0: as much as they need"});
  keys.push_back({"rx_descriptors", Number(edge.rx_descriptors, 32, 16384), "frames a queue",
                  "brought into the device's range where it has a narrower one"});
  keys.push_back({"tx_descriptors", Number(edge.tx_descriptors, 32, 16384), "frames a queue", "the same"});
  keys.push_back({"handover_frames", Number(edge.handover_frames, 64, 1u << 20), "frames a pair of workers",
                  "the rings for packets that another worker received; rounded up to a power of two"});
}

}  // namespace

std::vector<Key> KeysOf(Config& config) {
  std::vector<Key> keys;
  keys.push_back(
      {"wires", WiresKey{&config.edge.wires}, "",
       "pairs of ports: `[DEV, DEV]`; a DEV is a text, or a mapping of the keys below. `hooks` is the wire of a "
       "[node's hooks](node.md)"});
  keys.push_back({"manifests", TextListKey{&config.manifests}, "",
                  "files and folders of Kubernetes [manifests](manifests.md), watched for changes"});
  keys.push_back({"staged", TextListKey{&config.staged}, "",
                  "files and folders of [staged policies](staging.md), watched for changes: traffic is judged by them, "
                  "too, and they enforce nothing. Beside `manifests`; policy that is pushed is staged by its sender"});
  keys.push_back(
      {"skip_broken_manifests", BoolKey{&config.skip_broken_manifests}, "",
       "at a start, go without what cannot be read of them and is not in `state`, instead of having no policy "
       "(`no_policy`) until it can be"});
  AddApiKeys(config, keys);
  keys.push_back({"log_level", Choice(config.log_level, {"debug", "info", "warning", "error"}), "",
                  "lines below it are not written to standard error"});
  keys.push_back(
      {"flow_logs", FlowLogsKey{&config.flow_log.sinks}, "",
       "where flows that ended and denials are written ([flow-logs.md](flow-logs.md)): a list of the keys below"});
  keys.push_back({"flow_log_deny_interval", Number(config.flow_log.deny_interval_s, 1, 3600), "s",
                  "denials are counted up for so long before they are written"});
  keys.push_back(
      {"flow_log_deny_keys", Number(config.flow_log.deny_keys, 1, 1u << 20), "pairs a worker",
       "denials by source, destination, port and rules that are told apart meanwhile, at 300 bytes each; those "
       "beyond are counted by rule"});
  keys.push_back({"flow_log_live_interval", Number(config.flow_log.live_interval_s, 0, 86'400), "s",
                  "flows that live and had packets have a line so often; 0: none"});
  keys.push_back({"flow_history", Number(config.flow_log.history, 0, 1u << 20), "flows and denials",
                  "stay in memory for `sluicectl flows --since` and `--follow`; 0: none, and neither works"});
  AddPolicyKeys(config.pipeline, keys);
  AddTimeoutKeys(config.pipeline.timeouts, keys);
  AddDnsKeys(config, keys);
  AddSizeKeys(config, keys);
  AddEdgeKeys(config.edge, keys);
  return keys;
}

std::vector<Key> KeysOf(FlowLogSinkSettings& sink) {
  return {{"to", TextKey{&sink.to}, "",
           "`file:PATH`, `stdout`, `unix:PATH`: a socket that a collector listens at, or `ipfix:udp:ADDRESS:PORT` (or "
           "`tcp`): a collector of IPFIX"},
          {"only", Choice(sink.only, {"all", "ended", "denied"}), "", "flows that ended, denials, or both"},
          {"filter", ConditionsKey{&sink.filter, false}, "",
           "conditions of `sluicectl flows` by name, such as `{namespace: [shop, bank], port: 443}`: of several values "
           "of one, one must hold; of several conditions, all"},
          {"except", ConditionsKey{&sink.filter, true}, "", "the same: none of them may hold"},
          {"fields", TextListKey{&sink.fields, "all"}, "", "of a line, in this order"},
          {"aggregate.by", TextListKey{&sink.aggregate_by, "none"}, "",
           "fields: records that are alike in them are added up to one line"},
          {"aggregate.seconds", Number(sink.aggregate_seconds, 1, 86'400), "s", "for so long"},
          {"until", TextKey{&sink.until, "for ever"}, "", "no lines from this time on, such as `2026-12-24T18:00:00Z`"},
          {"lines_per_second", Number(sink.lines_per_second, 0, 10'000'000), "lines", "0: all"},
          {"policy_lines_per_second", Number(sink.policy_lines_per_second, 0, 10'000'000), "lines",
           "of each policy that decided; 0: all. Not of sums"},
          {"most_mb", Number(sink.most_mb, 1, 1u << 20), "MB", "of a file, before the next one begins"},
          {"kept", Number(sink.kept, 0, 1000), "files", "of before: `PATH.1` is the newest"},
          {"gzip", BoolKey{&sink.gzip}, "", "of those: `PATH.1.gz`"}};
}

std::vector<Key> KeysOf(PortSettings& port) {
  return {{"device", TextKey{&port.device}, "", "a DEV, or any DPDK device string (`net_bonding0,mode=1`)"},
          {"role", Choice(port.role, {"auto", "client", "server"}), "",
           "which end of a memif or vhost socket this is; `auto`: client of a memif, server of a vhost"},
          {"mtu", Number(port.mtu, 0, 9600), "bytes", "of IP in a frame; 0: the device's own"}};
}

}  // namespace sluice
