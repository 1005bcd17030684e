#include "http/http_server.h"

#include <CivetServer.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sluice/host_port.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

// Each thread has one connection at a time. A connection that asks nothing, or does not take its answer, keeps its
// thread for this time.
constexpr char kThreads[] = "32";
constexpr char kPatienceMs[] = "500";
// A connection that takes its answer in small pieces keeps its thread for this time.
constexpr std::chrono::seconds kMostTime(10);
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

bool IsPort(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  std::uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return port > 0 && port <= 65535;
}

// False: the client did not take all of it in time.
bool WriteAll(mg_connection* connection, std::string_view text) {
  const auto deadline = std::chrono::steady_clock::now() + kMostTime;
  while (!text.empty()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    const int written = mg_write(connection, text.data(), std::min(text.size(), kPieceBytes));
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    default:
      return "Service Unavailable";
  }
}

HttpRequest RequestOf(mg_connection* connection) {
  const mg_request_info& info = *mg_get_request_info(connection);
  const auto header = [&](const char* name) {
    const char* value = mg_get_header(connection, name);
    return std::string(value == nullptr ? "" : value);
  };
  HttpRequest request;
  request.path = info.local_uri == nullptr ? "" : info.local_uri;
  request.host = header("Host");
  request.authorization = header("Authorization");
  request.fetch_site = header("Sec-Fetch-Site");
  request.from_loopback = IsLoopback(info.remote_addr);
  request.query = ParseQuery(info.query_string == nullptr ? "" : info.query_string);
  return request;
}

// Other sites may not use the site's answers, nothing may be stored, and only its own scripts run.
class CivetReply final : public HttpReply {
 public:
  explicit CivetReply(mg_connection* connection) : connection_(connection) {}

  void Send(int status, std::string_view type, std::string_view text) override {
    if (!SendHead(status, type, "Content-Length: " + std::to_string(text.size()) + "\r\n")) return;
    WriteAll(connection_, text);
  }
  void BeginStream(std::string_view type) override { SendHead(200, type, ""); }
  bool Write(std::string_view piece) override { return WriteAll(connection_, piece); }

 private:
  bool SendHead(int status, std::string_view type, const std::string& length) {
    std::string head = "HTTP/1.1 " + std::to_string(status) + ' ';
    head.append(ReasonOf(status)).append("\r\nContent-Type: ").append(type).append("\r\n").append(length);
    head +=
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
        "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
    return WriteAll(connection_, head);
  }

  mg_connection* const connection_;
};

}  // namespace

class HttpServer::SiteHandler : public CivetHandler {
 public:
  explicit SiteHandler(HttpSite& site) : site_(site) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    CivetReply reply(connection);
    site_.Get(RequestOf(connection), reply);
    return true;
  }

 private:
  HttpSite& site_;
};

class HttpServer::Handler : public CivetHandler {
 public:
  struct Answer {
    int status = 200;
    std::string text;
  };

  explicit Handler(std::function<Answer()> answer) : answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    const Answer answer = answer_();
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
              "X-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
              answer.status, answer.status == 200 ? "OK" : "Service Unavailable", answer.text.size());
    WriteAll(connection, answer.text);
    return true;
  }

 private:
  const std::function<Answer()> answer_;
};

HttpServer::HttpServer() = default;
HttpServer::~HttpServer() {
  if (site_ != nullptr) site_->Stop();
  server_.reset();
}

int HttpServer::port() const {
  const std::vector<int> ports = server_->getListeningPorts();
  return ports.empty() ? 0 : ports[0];
}

std::optional<std::string> CheckHttpAddress(const std::string& address) {
  // civetweb's own syntax allows more (lists, TLS, redirections), which we do not want.
  const std::string_view text = address;
  const auto host_port = ParseHostPort(text);
  const bool fine = IsPort(text.starts_with(':') ? text.substr(1) : text) || (host_port && host_port->port != 0);
  if (fine) return std::nullopt;
  return "'" + address + "' is no address; wants HOST:PORT, such as 127.0.0.1:9465, [::1]:9465 or :9465";
}

std::unique_ptr<HttpServer> HttpServer::Start(const std::string& address, Answers answers, std::string& error,
                                              HttpSite* site) {
  using Answer = Handler::Answer;
  const std::string listen = address.starts_with(':') ? address.substr(1) : address;
  std::unique_ptr<HttpServer> http(new HttpServer);
  try {
    http->server_ = std::make_unique<CivetServer>(
        std::vector<std::string>{"listening_ports", listen, "num_threads", kThreads, "request_timeout_ms", kPatienceMs,
                                 // civetweb's defaults would let every site's scripts read it.
                                 "access_control_allow_origin", "", "access_control_allow_methods", ""});
  } catch (const CivetException&) {
    error = "http '" + address + "' cannot be listened at; wants HOST:PORT with an address of this host, a free port";
    return nullptr;
  }
  if (site != nullptr) {
    http->site_ = site;
    http->site_handler_ = std::make_unique<SiteHandler>(*site);
    http->server_->addHandler("/", *http->site_handler_);
  }
  const auto add = [&](const std::string& path, std::function<Answer()> answer) {
    http->handlers_.push_back(std::make_unique<Handler>(std::move(answer)));
    http->server_->addHandler(path, *http->handlers_.back());
  };
  using Notes = std::function<std::vector<std::string>()>;
  const auto fine_unless = [&](const std::string& path, std::string fine, std::function<std::string()> problem,
                               Notes notes) {
    if (!problem) return;
    add(path, [fine = std::move(fine), problem = std::move(problem), notes = std::move(notes)] {
      const std::string why = problem();
      Answer answer = why.empty() ? Answer{200, fine + '\n'} : Answer{503, Printable(why) + '\n'};
      if (!notes) return answer;
      for (const std::string& note : notes()) answer.text += Printable(note) + '\n';
      return answer;
    });
  };
  fine_unless("/healthz", "alive", std::move(answers.dead), {});
  fine_unless("/readyz", "ready", std::move(answers.unready), std::move(answers.notes));
  if (answers.metrics) add("/metrics", [metrics = std::move(answers.metrics)] { return Answer{200, metrics()}; });
  return http;
}

}  // namespace sluice
