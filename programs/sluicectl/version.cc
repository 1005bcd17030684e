// `sluicectl version`: our version, and a running sluiced's.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

struct VersionOptions {
  LiveOptions live;
  bool client = false;
};

std::string ApiText(std::uint32_t minor) { return "sluice.v1 minor " + std::to_string(minor); }

Json ServerJson(const v1::Status& status, bool for_people) {
  Json json = {
      {"version", status.version()}, {"api", ApiText(status.api_minor())}, {"generation", status.generation()}};
  if (for_people) {
    json["started"] = AgoText(status.start_unix_ns());
  } else {
    json["started"] = TimeJson(status.start_unix_ns());
  }
  return json;
}

// Like kubectl: shows our own version in any case, and returns 1 if sluiced does not answer.
int RunVersion(const VersionOptions& options) {
  Json json = {{"client", {{"version", SLUICE_VERSION}}}};
  const bool for_people = options.live.format == "table";
  int code = kExitFine;
  if (!options.client) {
    const auto stub = ConnectTo(options.live);
    if (stub == nullptr) return kExitBadInput;
    Call call(options.live);
    v1::Status status;
    const grpc::Status answer = call.Once([&](Call* asked) { return stub->GetStatus(asked, {}, &status); });
    if (answer.ok()) json["server"] = ServerJson(status, for_people);
    if (Finish(options.live, answer) != kExitFine) code = kExitDiffers;
  }
  Output output;
  if (for_people) {
    for (const auto& [who, values] : json.items()) {
      for (const auto& [what, value] : values.items()) {
        output << who << " " << what << ": " << Printable(value.is_string() ? value.get<std::string>() : value.dump())
               << "\n";
      }
    }
  } else {
    WriteObject(output, options.live.format, json);
  }
  return output.Flush() ? code : kExitBadInput;
}

}  // namespace

void AddVersion(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version of sluicectl, and of a running sluiced.");
  auto options = std::make_shared<VersionOptions>();
  options->live.timeout = 5;
  AddTargetOptions(*command, options->live);
  command->add_flag("--client", options->client, "ask nobody: sluicectl's own version only");
  command->add_option("-o,--output", options->live.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  command->footer("Exit codes: 1 where nobody answers.\nExamples:\n  sluicectl version\n  sluicectl version --client");
  command->callback([options, exit_code] { *exit_code = RunVersion(*options); });
}

}  // namespace sluice
