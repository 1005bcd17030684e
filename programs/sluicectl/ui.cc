// `sluicectl ui`: serves the page about one or many running sluiced on this host, for as long as it runs.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/arguments.h"
#include "common/signals.h"
#include "http/http_server.h"
#include "page/page_site.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

struct UiOptions {
  LiveOptions live;
  std::vector<std::string> targets;
  std::uint16_t port = 0;
};

int RunUi(const UiOptions& options) {
  const Signals signals{SIGTERM, SIGINT};
  std::vector<std::shared_ptr<PageTarget>> targets;
  for (const std::string& target : options.targets) {
    LiveOptions live = options.live;
    live.target = target;
    const auto channel = ChannelTo(live);
    if (channel == nullptr) return kExitBadInput;
    targets.push_back(std::make_shared<PageTarget>(Printable(target), channel));
  }
  const std::string token = MakeToken();
  PageSite site(token);
  site.Look(std::move(targets));
  std::string error;
  const auto server = HttpServer::Start("127.0.0.1:" + std::to_string(options.port), {}, error, &site);
  if (server == nullptr)
    return Fail("--port " + std::to_string(options.port) + ": it cannot be listened at; is it in use?");
  std::printf("http://127.0.0.1:%d/#token=%s\n", server->port(), token.c_str());
  if (std::fflush(stdout) != 0) return Fail("standard output cannot be written");
  pollfd wait{signals.fd(), POLLIN, 0};
  while (signals.Take() == 0) poll(&wait, 1, -1);
  return kExitFine;
}

}  // namespace

void AddUi(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("ui", "Show what policy does, in a browser.");
  auto options = std::make_shared<UiOptions>();
  options->targets = {options->live.target};
  command
      ->add_option("--target", options->targets, "where a sluiced listens: unix:PATH, /PATH or HOST:PORT. Repeatable")
      ->transform(FullTarget)
      ->type_name("ADDR")
      ->envname("SLUICE_TARGET")
      ->expected(1)
      ->take_all()
      ->capture_default_str();
  command->add_option("--port", options->port, "where this host's browser finds it; 0: a free one")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("PORT")
      ->capture_default_str();
  AddConnectionOptions(*command, options->live);
  command->footer(
      "Prints the page's address, with a token that it is shown to alone, and serves it to this host until it is\n"
      "interrupted. From another host: ssh -L PORT:127.0.0.1:PORT, with --port.\n"
      "Examples:\n"
      "  sluicectl ui\n"
      "  sluicectl ui --target gw1:7443 --target gw2:7443 --tls-ca ca.pem --tls-certificate me.pem --tls-key me.key");
  command->callback([options, exit_code] { *exit_code = RunUi(*options); });
}

}  // namespace sluice
