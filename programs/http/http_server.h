// The daemons' HTTP server: liveness, readiness, metrics for Prometheus, and optionally a site.
// GET only, no TLS.
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

// Checks an address: "HOST:PORT", ":PORT" or "PORT", an IPv6 host in brackets. Returns what is wrong, or nothing.
std::optional<std::string> CheckHttpAddress(const std::string& address);

// Takes an answer: one text, or a stream of pieces.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual void Send(int status, std::string_view type, std::string_view text) = 0;
  virtual void BeginStream(std::string_view type) = 0;
  // False: nobody reads it any more.
  virtual bool Write(std::string_view piece) = 0;
};

// Answers requests for every path that is not the server's own. The server's threads call it, several at a time.
class HttpSite {
 public:
  virtual ~HttpSite() = default;
  virtual void Get(const HttpRequest& request, HttpReply& reply) = 0;
  // Ends streams soon. The server calls it before it waits for them.
  virtual void Stop() = 0;
};

// /healthz: 200 if `dead` returns an empty text, else 503 and that text. /readyz: the same with `unready`; the text of
// `notes` follows below "ready", one line each, and does not change the status. /metrics: the text of `metrics`. The
// server's threads call all of these, several at a time. If one is null, its path is not served.
//
// A client that asks nothing or reads nothing soon loses its connection. So a thousand such clients can keep out a
// probe for some seconds, but not for as long as they like.
class HttpServer {
 public:
  struct Answers {
    std::function<std::string()> dead;
    std::function<std::string()> unready;
    std::function<std::string()> metrics;
    std::function<std::vector<std::string>()> notes = {};
  };

  // Requires an address that CheckHttpAddress accepts; port 0 means a free port. If it returns null, `error` says why
  // and names a remedy. `site` may be null; it outlives the server.
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
