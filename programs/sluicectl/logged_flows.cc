#include "sluicectl/logged_flows.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "sluice/printable.h"
#include "sluice/time_text.h"
#include "sluicectl/input.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

std::string FieldText(const Json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::uint64_t FieldNumber(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || !found->is_number_unsigned() ? 0 : found->get<std::uint64_t>();
}

const Json* EndIn(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found == line.end() || !found->is_object() ? nullptr : &*found;
}

}  // namespace

LoggedFlows::LoggedFlows(const Cluster& cluster, Visit visit) : visit_(std::move(visit)) {
  for (const Pod& pod : cluster.pods) {
    if (pod.host_network || pod.finished()) continue;
    pods_[pod.namespace_name + '/' + pod.name] = &pod;
    if (!pod.workload.empty()) workloads_[{pod.namespace_name, pod.workload}] = &pod;
    for (const IpAddress& address : pod.addresses) owners_[address] = &pod;
  }
}

std::optional<IpAddress> LoggedFlows::AddressOf(const Json& end) const {
  const auto address = IpAddress::Parse(FieldText(end, "address"));
  if (!address) return std::nullopt;
  const std::string space = FieldText(end, "namespace");
  const std::string name = FieldText(end, "pod");
  const auto owner = owners_.find(*address);
  // No pod had the address then, but a pod has it now: the earlier owner is unknown.
  if (name.empty()) return owner == owners_.end() ? address : std::nullopt;
  const auto pod = pods_.find(space + '/' + name);
  const auto same = workloads_.find({space, FieldText(end, "workload")});
  const Pod* stands = pod != pods_.end() ? pod->second : same != workloads_.end() ? same->second : nullptr;
  if (stands == nullptr) return std::nullopt;
  if (owner != owners_.end() && owner->second == stands) return address;
  for (const IpAddress& one : stands->addresses) {
    if (one.family == address->family) return one;
  }
  return std::nullopt;
}

bool LoggedFlows::Add(std::string_view text) {
  const Json line = Json::parse(text, nullptr, false);
  const std::string type = line.is_object() ? FieldText(line, "type") : "";
  if (type == "lost") not_logged_ += FieldNumber(line, "not_logged");
  if (type == "lost" || type == "deny" || type == "sum") return true;
  if (type != "end" && type != "live") return false;
  const auto time = ParseRfc3339(FieldText(line, "time"));
  if (time && *time < since_ns_) return true;
  const Json* source_end = EndIn(line, "src");
  const Json* destination_end = EndIn(line, "dst");
  const auto protocol = ParseProtocol(FieldText(line, "proto"));
  if (source_end == nullptr || destination_end == nullptr || !protocol) return false;
  const auto source = AddressOf(*source_end);
  const auto destination = AddressOf(*destination_end);
  if (!source || !destination) {
    ++of_gone_pods_;
    return true;
  }
  visit_({*source, *destination, *protocol, static_cast<std::uint16_t>(FieldNumber(*source_end, "port")),
          static_cast<std::uint16_t>(FieldNumber(*destination_end, "port"))});
  return true;
}

bool LoggedFlows::ReadFile(const std::string& path, std::uint64_t since_ns) {
  since_ns_ = since_ns;
  const auto complain = [&](const std::string& what) {
    std::fprintf(stderr, "error: %s\n", Printable(path + what, kPrintableBytes).c_str());
    return false;
  };
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return complain(std::string(": ") + std::strerror(errno));
  constexpr std::size_t kMostLineBytes = std::size_t{1} << 20;
  bool good = true;
  std::uint64_t number = 0;
  std::string line;
  std::array<char, 1 << 16> bytes;
  while (good && gzgets(file, bytes.data(), bytes.size()) != nullptr) {
    line += bytes.data();
    if (line.size() > kMostLineBytes) {
      good = complain(':' + std::to_string(number + 1) + ": is longer than 1 MB; is it a flow log?");
    }
    if (line.empty() || line.back() != '\n') continue;  // a log that is being written ends in the middle of a line
    ++number;
    if (!Add(line)) good = complain(':' + std::to_string(number) + ": is no line of a flow log");
    line.clear();
  }
  int code = Z_OK;
  const char* const problem = gzerror(file, &code);
  if (good && code != Z_OK && code != Z_STREAM_END) good = complain(std::string(": ") + problem);
  gzclose(file);
  return good;
}

}  // namespace sluice
