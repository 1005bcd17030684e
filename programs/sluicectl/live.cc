#include "sluicectl/live.h"

#include <grpc/support/log.h>
#include <grpcpp/resource_quota.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <variant>

#include "certificate/tls_material.h"
#include "codec/codec.h"
#include "codec/limits.h"
#include "common/arguments.h"
#include "sluice/policy_terms.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"
#include "sluicectl/commands.h"
#include "sluicectl/connect_failure.h"
#include "sluicectl/labels.h"
#include "sluicectl/yaml.h"

namespace sluice {
namespace {

constexpr int kKeepaliveMs = 20'000;
constexpr std::size_t kMostBufferBytes = std::size_t{128} << 20;
constexpr int kKeepaliveTimeoutMs = 10'000;

std::string CellText(const Json& value) {
  if (value.empty() || value == "") return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& item : value) text += (text.empty() ? "" : ",") + CellText(item);
  return text;
}

Transport TransportOf(const LiveOptions& options) {
  if (options.target.starts_with("unix:")) return Transport::kUnix;
  return options.insecure ? Transport::kPlainTcp : Transport::kTls;
}

}  // namespace

void AddTargetOptions(CLI::App& command, LiveOptions& options) {
  command.add_option("--target", options.target, "where sluiced listens: unix:PATH, /PATH or HOST:PORT")
      ->transform(FullTarget)
      ->type_name("ADDR")
      ->envname("SLUICE_TARGET")
      ->capture_default_str();
  AddConnectionOptions(command, options);
}

void AddConnectionOptions(CLI::App& command, LiveOptions& options) {
  command.add_option("--tls-ca", options.tls_ca, "PEM file: authority that signed the server's certificate")
      ->type_name("FILE");
  command.add_option("--tls-certificate", options.tls_certificate, "PEM file: our certificate")->type_name("FILE");
  command.add_option("--tls-key", options.tls_key, "PEM file: its private key")->type_name("FILE");
  command.add_flag("--insecure", options.insecure, "talk to HOST:PORT without TLS");
  command.add_option("--timeout", options.timeout, "seconds that sluiced may keep us waiting")
      ->check(CLI::Range(0.1, 86400.0))
      ->type_name("SECONDS")
      ->capture_default_str();
}

void AddFormatOption(CLI::App& command, LiveOptions& options) {
  command.add_option("-o,--output", options.format, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}))
      ->capture_default_str();
}

bool IsForPeople(const LiveOptions& options) {
  return options.format == "table" || options.format == "wide" || options.format == "name";
}

void AddHeadersOption(CLI::App& command, LiveOptions& options) {
  command.add_flag("--no-headers", options.no_headers, "leave out a table's first line");
}

std::shared_ptr<grpc::Channel> ChannelTo(const LiveOptions& options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (TransportOf(options) != Transport::kTls) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    if (options.tls_ca.empty() || options.tls_certificate.empty() || options.tls_key.empty()) {
      Fail("--target " + options.target + ": TCP wants --tls-ca, --tls-certificate and --tls-key, or --insecure");
      return nullptr;
    }
    const auto read = ReadSoundTls({options.tls_certificate, options.tls_key, options.tls_ca});
    if (const auto* error = std::get_if<std::string>(&read)) {
      Fail(*error);
      return nullptr;
    }
    const auto& material = std::get<TlsMaterial>(read);
    credentials = grpc::SslCredentials({material.ca, material.key, material.certificate});
  }
  gpr_set_log_function([](gpr_log_func_args*) {});  // the status of a call says enough
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  // gRPC compares a message's length with the bound only when the message is complete, and before it decompresses it.
  // So buffers are bounded too, and compressed messages are refused.
  grpc::ResourceQuota quota("sluicectl");
  quota.Resize(kMostBufferBytes);
  arguments.SetResourceQuota(quota);
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1U << GRPC_COMPRESS_NONE);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  // While drops are awaited, only keepalive shows that sluiced is gone or hangs.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(options.target, credentials, arguments);
}

std::unique_ptr<v1::ObserveService::Stub> ConnectTo(const LiveOptions& options) {
  const auto channel = ChannelTo(options);
  return channel == nullptr ? nullptr : v1::ObserveService::NewStub(channel);
}

Call::Call(const LiveOptions& options) : timeout_(options.timeout), watch_([this] { RunWatch(); }) {}

Call::~Call() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  watch_.join();
}

// Checks now and then, so that a million messages cost nothing.
void Call::RunWatch() {
  constexpr std::chrono::milliseconds kInterval(50);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kInterval, [this] { return over_; })) {
    const Clock::time_point since = waits_since_;
    if (since == kNotWaiting || Clock::now() - since < timeout_ || timed_out_) continue;
    timed_out_ = true;
    TryCancel();
  }
}

grpc::Status Call::EndOf(const grpc::Status& status) const {
  if (!timed_out_ || status.ok()) return status;
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%g", timeout_.count());
  return {grpc::StatusCode::DEADLINE_EXCEEDED, seconds};
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "error: %s\n", Printable(message, kPrintableBytes).c_str());
  return kExitBadInput;
}

int Finish(const LiveOptions& options, const grpc::Status& status) {
  if (status.ok()) return kExitFine;
  const std::string& why = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return Fail(ConnectFailure(options.target, TransportOf(options), why));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Fail("no answer from " + options.target + " for " + why +
                  " s: sluiced hangs, is stopped or is overloaded; its log says more, and --timeout waits longer");
    case grpc::StatusCode::CANCELLED:
      return Fail(options.target +
                  " ended the call: its answer was read too slowly while others waited; ask again, and " +
                  "write what is long into a file");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Fail(options.target + " is busy: " + why);
    case grpc::StatusCode::UNIMPLEMENTED:
      if (why.find("ompression") != why.npos) {
        return Fail(options.target + " sends compressed answers, which are not taken; is it a sluiced?");
      }
      return Fail("the sluiced at " + options.target + " is older than this sluicectl and has no such call");
    default:
      return Fail(why);
  }
}

Listing::Listing(Output& output, const LiveOptions& options, std::vector<Column> columns, Rows rows)
    : output_(output),
      json_(options.format == "json"),
      yaml_(options.format == "yaml"),
      rows_(rows),
      columns_(std::move(columns)) {
  if (json_ && rows == Rows::kList) output_ << "[";
  if (json_ || yaml_) return;
  if (options.format != "wide") std::erase_if(columns_, [](const Column& column) { return column.wide; });
  const bool names_alone = options.format == "name";
  if (names_alone) columns_ = {{"NAME", "full_name"}};
  std::vector<std::string> headers;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    headers.emplace_back(column.header);
    widths.push_back(rows == Rows::kStream ? column.width : 0);
  }
  table_.emplace(output_, std::move(headers), std::move(widths), options.no_headers || names_alone);
}

Listing::~Listing() {
  if (rows_ == Rows::kStream) return;
  if (json_) output_ << (first_ ? "]\n" : "\n]\n");
  if (yaml_ && first_) output_ << "[]\n";
}

void Listing::Add(const Json& row) {
  if (json_ && rows_ == Rows::kStream) {
    output_ << JsonText(row) << "\n";
  } else if (json_) {
    output_ << (first_ ? "\n  " : ",\n  ") << JsonText(row);
  } else if (yaml_) {
    WriteYaml(output_, Json::array({row}));
  } else {
    std::vector<std::string> cells;
    for (const Column& column : columns_) cells.push_back(CellText(row.value(std::string(column.key), Json())));
    table_->AddRow(std::move(cells));
  }
  first_ = false;
}

bool Listing::Flush() {
  if (table_) table_->Flush();
  return output_.Flush();
}

void WriteObject(Output& output, std::string_view format, const Json& object) {
  if (format == "json") {
    output << JsonText(object, 2) << "\n";
  } else if (format == "yaml") {
    WriteYaml(output, object);
  } else {
    std::size_t width = 0;
    for (const auto& [key, value] : object.items()) width = std::max(width, key.size());
    const auto line = [&](std::string_view key, const Json& value) {
      output << key << std::string(width - key.size() + 2, ' ') << Printable(CellText(value), kPrintableBytes) << "\n";
    };
    for (const auto& [key, value] : object.items()) {
      const bool is_list = value.is_array() && !value.empty();
      line(key, is_list ? value[0] : value);
      for (std::size_t i = 1; is_list && i < value.size(); ++i) line("", value[i]);
    }
  }
}

std::string AddressText(std::string_view bytes) {
  const auto address = DecodeAddress(bytes);
  return address ? address->ToString() : "";
}

std::string_view TierText(v1::Tier tier) {
  return tier < v1::TIER_ADMIN || tier > v1::TIER_BASELINE ? "" : Name(static_cast<Tier>(tier - 1));
}

std::string_view ActionText(v1::Action action) {
  return action < v1::ACTION_ALLOW || action > v1::ACTION_PASS ? "" : Name(static_cast<Action>(action - 1));
}

Direction DirectionOf(v1::Direction direction) {
  return direction == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress;
}

SideAnswer ToAnswer(const v1::RuleName& rule) {
  if (rule.policy().empty()) return {};
  // A sluiced before API 7 does not say what the rule does.
  const bool allow = rule.action() == v1::ACTION_UNSPECIFIED ? rule.index() >= 0 : rule.action() != v1::ACTION_DENY;
  return {allow,
          true,
          TierText(rule.tier()),
          rule.policy(),
          rule.index(),
          rule.name(),
          {rule.isolated_by().begin(), rule.isolated_by().end()}};
}

Json TimeJson(std::uint64_t unix_ns) { return unix_ns == 0 ? Json() : Json(Rfc3339(unix_ns)); }

Json LabelsJson(std::string_view labels) {
  Json json = Json::object();
  for (const auto& [key, value] : ParseLabels(labels)) json[key] = value;
  return json;
}

std::string AgoText(std::uint64_t unix_ns) {
  if (unix_ns == 0) return "never";
  const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1);
  const auto then = static_cast<std::int64_t>(unix_ns / 1'000'000'000);
  return SpanText(std::max<std::int64_t>(now - then, 0)) + " ago";
}

std::string SpanText(std::int64_t seconds) {
  const auto two = [](std::int64_t large, const char* unit, std::int64_t small, const char* small_unit) {
    return std::to_string(large) + unit + (small > 0 ? std::to_string(small) + small_unit : "");
  };
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return two(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86400) return two(seconds / 3600, "h", seconds / 60 % 60, "m");
  return two(seconds / 86400, "d", seconds / 3600 % 24, "h");
}

}  // namespace sluice
