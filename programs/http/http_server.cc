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

// Each thread has one connection at a time. A connection that asks nothing, or does not take what it asked for, has its
// thread for so long.
constexpr char kThreads[] = "32";
constexpr char kPatienceMs[] = "500";
// One that takes its answer by bits and pieces has it for so long.
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

}  // namespace

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
    const auto deadline = std::chrono::steady_clock::now() + kMostTime;
    for (std::string_view rest = answer.text; !rest.empty() && std::chrono::steady_clock::now() < deadline;) {
      const int written = mg_write(connection, rest.data(), std::min(rest.size(), kPieceBytes));
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

 private:
  const std::function<Answer()> answer_;
};

HttpServer::HttpServer() = default;
HttpServer::~HttpServer() { server_.reset(); }

std::optional<std::string> CheckHttpAddress(const std::string& address) {
  // civetweb's own syntax has more to it (lists, TLS, redirections): none of that is meant.
  const std::string_view text = address;
  const auto host_port = ParseHostPort(text);
  const bool fine = IsPort(text.starts_with(':') ? text.substr(1) : text) || (host_port && host_port->port != 0);
  if (fine) return std::nullopt;
  return "'" + address + "' is no address; wants HOST:PORT, such as 127.0.0.1:9465, [::1]:9465 or :9465";
}

std::unique_ptr<HttpServer> HttpServer::Start(const std::string& address, Answers answers, std::string& error) {
  using Answer = Handler::Answer;
  const std::string listen = address.starts_with(':') ? address.substr(1) : address;
  std::unique_ptr<HttpServer> http(new HttpServer);
  try {
    http->server_ = std::make_unique<CivetServer>(std::vector<std::string>{
        "listening_ports", listen, "num_threads", kThreads, "request_timeout_ms", kPatienceMs});
  } catch (const CivetException&) {
    error = "http '" + address + "' cannot be listened at; wants HOST:PORT with an address of this host, a free port";
    return nullptr;
  }
  const auto add = [&](const std::string& path, std::function<Answer()> answer) {
    http->handlers_.push_back(std::make_unique<Handler>(std::move(answer)));
    http->server_->addHandler(path, *http->handlers_.back());
  };
  using Notes = std::function<std::vector<std::string>()>;
  const auto fine_unless = [&](const std::string& path, std::string fine, std::function<std::string()> problem,
                               Notes notes) {
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
  add("/metrics", [metrics = std::move(answers.metrics)] { return Answer{200, metrics()}; });
  return http;
}

}  // namespace sluice
