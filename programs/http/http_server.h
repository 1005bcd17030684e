// The HTTP server of the daemons: liveness, readiness, and metrics for Prometheus. Plain text, GET only, no TLS.
#ifndef SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_
#define SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

class CivetServer;

namespace sluice {

// Nothing, or what is wrong with an address: "HOST:PORT", ":PORT" or "PORT", a host of IPv6 in brackets.
std::optional<std::string> CheckHttpAddress(const std::string& address);

// /healthz: 200 where `dead` says nothing, else 503 and what it says. /readyz: the same of `unready`; what `notes` says
// stands below "ready", a line each, and changes nothing about that. /metrics: the text of `metrics`. All are called in
// threads of the server, several at a time.
//
// A client that asks nothing or reads nothing loses its connection soon, so that a thousand of them keep out a probe
// for some seconds, not for as long as they like.
class HttpServer {
 public:
  struct Answers {
    std::function<std::string()> dead;
    std::function<std::string()> unready;
    std::function<std::string()> metrics;
    std::function<std::vector<std::string>()> notes = {};
  };

  // Requires an address that CheckHttpAddress takes. Null: `error` says why, and what helps.
  static std::unique_ptr<HttpServer> Start(const std::string& address, Answers answers, std::string& error);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

 private:
  class Handler;

  HttpServer();

  std::vector<std::unique_ptr<Handler>> handlers_;
  std::unique_ptr<CivetServer> server_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_
