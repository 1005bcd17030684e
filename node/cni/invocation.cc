#include "cni/invocation.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFirstWithCheck = "0.4.0";
constexpr std::string_view kFirstWithStatus = "1.1.0";
constexpr const char* kValidAttachments = "cni.dev/valid-attachments";

constexpr std::array<std::pair<std::string_view, CniCommand>, 6> kCommands = {{{"ADD", CniCommand::kAdd},
                                                                               {"DEL", CniCommand::kDelete},
                                                                               {"CHECK", CniCommand::kCheck},
                                                                               {"GC", CniCommand::kCollect},
                                                                               {"STATUS", CniCommand::kStatus},
                                                                               {"VERSION", CniCommand::kVersion}}};

CniError Invalid(std::string what) { return {CniCode::kInvalidConfiguration, std::move(what)}; }
CniError BadEnvironment(std::string what) { return {CniCode::kInvalidEnvironment, std::move(what)}; }

std::optional<std::string> Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == 0 ? std::nullopt : std::optional<std::string>(value);
}

// Returns the value of a key in CNI_ARGS: "KEY=VALUE;KEY=VALUE". Empty: it has none.
std::string Argument(std::string_view arguments, std::string_view key) {
  while (!arguments.empty()) {
    const std::string_view pair = arguments.substr(0, arguments.find(';'));
    arguments.remove_prefix(std::min(arguments.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == key) return std::string(pair.substr(equals + 1));
  }
  return "";
}

// Returns the text of a field, or its default. Throws what is wrong with it.
std::string Text(const Json& object, const char* key, std::string_view otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return std::string(otherwise);
  if (!found->is_string()) throw Invalid(std::string(key) + ": wants a text");
  return found->get<std::string>();
}

std::string Path(const Json& object, const char* key, std::string_view otherwise) {
  std::string path = Text(object, key, otherwise);
  if (!path.starts_with('/')) throw Invalid(std::string(key) + " '" + path + "': wants a path that begins with /");
  return path;
}

// Returns ips[].address of a result, without the prefix lengths.
std::vector<IpAddress> AddressesOf(const Json& result) {
  std::vector<IpAddress> addresses;
  const auto ips = result.find("ips");
  if (ips == result.end() || ips->is_null()) return addresses;
  if (!ips->is_array()) throw Invalid("prevResult.ips: wants a list");
  for (const Json& ip : *ips) {
    const std::string text = ip.is_object() ? Text(ip, "address", "") : "";
    const auto address = IpAddress::Parse(std::string_view(text).substr(0, text.find('/')));
    if (!address) throw Invalid("prevResult.ips: address '" + text + "': wants an address with its prefix length");
    addresses.push_back(*address);
  }
  return addresses;
}

// Returns the interfaces[] of a result that are in no sandbox.
std::vector<std::string> HostInterfacesOf(const Json& result) {
  std::vector<std::string> names;
  const auto interfaces = result.find("interfaces");
  if (interfaces == result.end() || interfaces->is_null()) return names;
  if (!interfaces->is_array()) throw Invalid("prevResult.interfaces: wants a list");
  for (const Json& interface : *interfaces) {
    if (!interface.is_object()) throw Invalid("prevResult.interfaces: wants objects");
    if (Text(interface, "sandbox", "").empty()) names.push_back(Text(interface, "name", ""));
  }
  return names;
}

void ReadPrevious(const Json& configuration, CniInvocation& invocation) {
  const auto previous = configuration.find("prevResult");
  if (previous == configuration.end() || previous->is_null()) return;
  if (!previous->is_object()) throw Invalid("prevResult: wants an object");
  invocation.previous = *previous;
  invocation.attachment.addresses = AddressesOf(*previous);
  invocation.hosts = HostInterfacesOf(*previous);
}

void RequirePrevious(const CniInvocation& invocation) {
  if (invocation.previous.is_null()) {
    throw Invalid("prevResult is missing: sluice comes after the plugin that makes the interface, in one conflist");
  }
  if (invocation.attachment.addresses.empty()) {
    throw Invalid("prevResult has no address: policy is about addresses, so there is nothing to be filtered by");
  }
}

void ReadValid(const Json& configuration, CniInvocation& invocation) {
  const auto valid = configuration.find(kValidAttachments);
  if (valid == configuration.end() || !valid->is_array()) {
    throw Invalid(std::string(kValidAttachments) + ": wants a list of attachments");
  }
  for (const Json& one : *valid) {
    if (!one.is_object()) throw Invalid(std::string(kValidAttachments) + ": wants objects");
    invocation.valid.emplace(Text(one, "containerID", ""), Text(one, "ifname", ""));
  }
}

void ReadAttachment(const CniEnvironment& environment, CniInvocation& invocation) {
  const bool is_new = invocation.command != CniCommand::kDelete;
  if (!environment.container) throw BadEnvironment("CNI_CONTAINERID is not set");
  if (!environment.interface) throw BadEnvironment("CNI_IFNAME is not set");
  if (is_new && !environment.netns) throw BadEnvironment("CNI_NETNS is not set");
  Attachment& attachment = invocation.attachment;
  attachment.key = {*environment.container, *environment.interface};
  attachment.namespace_name = Argument(environment.arguments, "K8S_POD_NAMESPACE");
  attachment.name = Argument(environment.arguments, "K8S_POD_NAME");
  attachment.uid = Argument(environment.arguments, "K8S_POD_UID");
  if (is_new && (attachment.namespace_name.empty() || attachment.name.empty())) {
    throw BadEnvironment("CNI_ARGS names no pod (K8S_POD_NAMESPACE, K8S_POD_NAME): policy is about Kubernetes' pods");
  }
}

Json Parse(const std::string& input) {
  Json configuration = Json::parse(input, nullptr, false);
  if (configuration.is_discarded() || !configuration.is_object()) {
    throw CniError{CniCode::kNotDecoded, "the network configuration on standard input is no JSON object"};
  }
  return configuration;
}

CniInvocation Read(const CniEnvironment& environment, CniCommand command, const std::string& input) {
  const Json configuration = Parse(input);
  CniInvocation invocation;
  invocation.command = command;
  invocation.version = Text(configuration, "cniVersion", "");
  if (std::find(kCniVersions.begin(), kCniVersions.end(), invocation.version) == kCniVersions.end()) {
    throw CniError{CniCode::kIncompatibleVersion, "cniVersion '" + invocation.version + "' is none that sluice speaks",
                   "it speaks 0.3.1, 0.4.0, 1.0.0 and 1.1.0"};
  }
  const auto require_version = [&](std::string_view least) {
    if (invocation.version >= least) return;
    throw CniError{CniCode::kIncompatibleVersion,
                   "cniVersion " + invocation.version + " has no " + environment.command.value_or("")};
  };
  invocation.socket = Path(configuration, "socket", kDefaultPluginSocket);
  invocation.bpffs = Path(configuration, "bpffs", "/sys/fs/bpf");
  switch (command) {
    case CniCommand::kAdd:
    case CniCommand::kCheck:
      if (command == CniCommand::kCheck) require_version(kFirstWithCheck);
      ReadAttachment(environment, invocation);
      ReadPrevious(configuration, invocation);
      RequirePrevious(invocation);
      break;
    case CniCommand::kDelete:
      ReadAttachment(environment, invocation);
      break;
    case CniCommand::kCollect:
      require_version(kFirstWithStatus);
      ReadValid(configuration, invocation);
      break;
    case CniCommand::kStatus:
      require_version(kFirstWithStatus);
      break;
    case CniCommand::kVersion:
      break;
  }
  return invocation;
}

}  // namespace

CniEnvironment CniEnvironment::Read() {
  return {Variable("CNI_COMMAND"), Variable("CNI_CONTAINERID"), Variable("CNI_NETNS"), Variable("CNI_IFNAME"),
          Variable("CNI_ARGS").value_or("")};
}

std::variant<CniCommand, CniError> ReadCommand(const CniEnvironment& environment) {
  for (const auto& [name, command] : kCommands) {
    if (environment.command == name) return command;
  }
  return BadEnvironment("CNI_COMMAND '" + environment.command.value_or("") +
                        "': wants ADD, DEL, CHECK, GC, STATUS or VERSION");
}

std::variant<CniInvocation, CniError> ReadInvocation(const CniEnvironment& environment, const std::string& input) {
  const auto command = ReadCommand(environment);
  if (const auto* error = std::get_if<CniError>(&command)) return *error;
  try {
    return Read(environment, std::get<CniCommand>(command), input);
  } catch (const CniError& error) {
    return error;
  }
}

std::string VersionOf(const std::string& input) {
  const Json configuration = Json::parse(input, nullptr, false);
  if (configuration.is_object()) {
    const auto version = configuration.find("cniVersion");
    if (version != configuration.end() && version->is_string()) return version->get<std::string>();
  }
  return std::string(kCniVersions.back());
}

}  // namespace sluice
