// Worlds to compare evaluators in: objects written in a line each, and the text of a whole world for a failure's
// message.
#ifndef SLUICE_TESTS_REFERENCE_WORLD_H_
#define SLUICE_TESTS_REFERENCE_WORLD_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "model/objects.h"
#include "sluice/protocol.h"

namespace sluice::test {

// Both abort on text that is no address or prefix.
IpAddress Ip(std::string_view text);
Prefix Cidr(std::string_view text);

using Pairs = std::initializer_list<std::pair<std::string, std::string>>;

Namespace MakeNamespace(std::string name, Pairs labels = {});
Pod MakePod(std::string space, std::string name, Pairs labels, std::initializer_list<std::string_view> addresses,
            std::string node = "n1");
NodeObject MakeNode(std::string name, std::initializer_list<std::string_view> addresses);

LabelRequirement In(std::string key, std::vector<std::string> values);
LabelRequirement NotIn(std::string key, std::vector<std::string> values);
LabelRequirement Exists(std::string key);
LabelRequirement DoesNotExist(std::string key);
// Sorted and without repeats, as the decoder makes it.
LabelSelector Select(std::vector<LabelRequirement> requirements = {});

NetworkPolicyPeer Pods(LabelSelector selector);
NetworkPolicyPeer Namespaces(LabelSelector selector);
NetworkPolicyPeer PodsIn(LabelSelector namespaces, LabelSelector pods);
NetworkPolicyPeer Block(std::string_view cidr, std::initializer_list<std::string_view> excepts = {});

NetworkPolicyPort AllPorts(std::uint8_t protocol);
NetworkPolicyPort Port(std::uint16_t port, std::uint8_t protocol = kProtoTcp);
NetworkPolicyPort Ports(std::uint16_t first, std::uint16_t last, std::uint8_t protocol = kProtoTcp);
NetworkPolicyPort Named(std::string name, std::uint8_t protocol = kProtoTcp);

// No direction yet; those below add one each.
NetworkPolicy MakePolicy(std::string space, std::string name, LabelSelector subjects = {});
NetworkPolicy Ingress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules);
NetworkPolicy Egress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules);

// The world as a Kubernetes List in JSON, which `sluicectl --manifests` reads.
std::string ToManifest(const Cluster& cluster);

}  // namespace sluice::test

#endif  // SLUICE_TESTS_REFERENCE_WORLD_H_
