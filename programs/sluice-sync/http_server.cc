#include <CivetServer.h>

#include <utility>

#include "sluice-sync/metrics.h"
#include "sluice/printable.h"

namespace sluice {

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
              "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n\r\n",
              answer.status, answer.status == 200 ? "OK" : "Service Unavailable", answer.text.size());
    mg_write(connection, answer.text.data(), answer.text.size());
    return true;
  }

 private:
  const std::function<Answer()> answer_;
};

HttpServer::HttpServer() = default;
HttpServer::~HttpServer() { server_.reset(); }

std::unique_ptr<HttpServer> HttpServer::Start(const std::string& address, Answers answers, std::string& error) {
  using Answer = Handler::Answer;
  const std::string listen = address.starts_with(':') ? address.substr(1) : address;
  std::unique_ptr<HttpServer> http(new HttpServer);
  try {
    // Each thread has one connection at a time: those that ask nothing must not keep out a probe for long.
    http->server_ = std::make_unique<CivetServer>(
        std::vector<std::string>{"listening_ports", listen, "num_threads", "8", "request_timeout_ms", "1000"});
  } catch (const CivetException&) {
    error = "http '" + address + "' cannot be listened at; wants HOST:PORT with an address of this host, a free port";
    return nullptr;
  }
  const auto add = [&](const std::string& path, std::function<Answer()> answer) {
    http->handlers_.push_back(std::make_unique<Handler>(std::move(answer)));
    http->server_->addHandler(path, *http->handlers_.back());
  };
  add("/healthz", [alive = std::move(answers.alive)] {
    return alive() ? Answer{200, "alive\n"} : Answer{503, "the main loop hangs\n"};
  });
  add("/readyz", [unready = std::move(answers.unready)] {
    const std::string why = unready();
    return why.empty() ? Answer{200, "ready\n"} : Answer{503, Printable(why) + '\n'};
  });
  add("/metrics", [metrics = std::move(answers.metrics)] { return Answer{200, metrics()}; });
  return http;
}

}  // namespace sluice
