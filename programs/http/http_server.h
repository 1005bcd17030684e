// The HTTP server of the daemons: liveness, readiness, metrics for Prometheus, and beside them a site. GET only, no
// TLS.
#ifndef SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_
#define SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/http_request.h"

class CivetServer;

namespace sluice {

// Nothing, or what is wrong with an address: "HOST:PORT", ":PORT" or "PORT", a host of IPv6 in brackets.
std::optional<std::string> CheckHttpAddress(const std::string& address);

// What is answered: one text, or a stream of pieces.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual void Send(int status, std::string_view type, std::string_view text) = 0;
  virtual void BeginStream(std::string_view type) = 0;
  // False: nobody reads it any more.
  virtual bool Write(std::string_view piece) = 0;
};

// Answers whatever is no path of the server's own. Called in threads of the server, several at a time.
class HttpSite {
 public:
  virtual ~HttpSite() = default;
  virtual void Get(const HttpRequest& request, HttpReply& reply) = 0;
  // Streams end soon. The server calls it before it waits for them.
  virtual void Stop() = 0;
};

// /healthz: 200 where `dead` says nothing, else 503 and what it says. /readyz: the same of `unready`; what `notes` says
// stands below "ready", a line each, and changes nothing about that. /metrics: the text of `metrics`. All are called in
// threads of the server, several at a time. Where one is null, its path is not served.
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

  // Requires an address that CheckHttpAddress takes, or one with port 0, for a free one. Null: `error` says why, and
  // what helps. `site` may be null; it outlives the server.
  static std::unique_ptr<HttpServer> Start(const std::string& address, Answers answers, std::string& error,
                                           HttpSite* site = nullptr);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Handler;
  class SiteHandler;

  HttpServer();

  HttpSite* site_ = nullptr;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::unique_ptr<SiteHandler> site_handler_;
  std::unique_ptr<CivetServer> server_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_HTTP_HTTP_SERVER_H_
