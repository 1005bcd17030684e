// What sluice-sync tells Prometheus, and the HTTP server that tells it, beside liveness and readiness.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/resource.h"
#include "push/pusher.h"

class CivetServer;

namespace sluice {

// Any thread may count; Scrape's gauges are filled by whoever knows them, before each scrape.
class Metrics {
 public:
  Metrics();

  void CountRefused(const std::string& kind) { refused_objects_.Add({{"kind", kind}}).Increment(); }
  void CountRefusedBatch(const std::string& target) { refused_batches_.Add({{"target", target}}).Increment(); }
  void ObserveApplied(const std::string& target, const AppliedBatch& batch);

  void SetSource(Resource resource, std::size_t objects, std::optional<double> age_s);
  void SetTarget(const Pusher& pusher);

  std::string Text() const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Gauge>& objects_;
  prometheus::Family<prometheus::Gauge>& source_age_;
  prometheus::Family<prometheus::Counter>& refused_objects_;
  prometheus::Family<prometheus::Counter>& refused_batches_;
  prometheus::Family<prometheus::Counter>& batches_;
  prometheus::Family<prometheus::Gauge>& connected_;
  prometheus::Family<prometheus::Gauge>& in_step_;
  prometheus::Family<prometheus::Gauge>& held_policies_;
  prometheus::Family<prometheus::Gauge>& generation_;
  prometheus::Family<prometheus::Histogram>& received_to_live_;
  prometheus::Family<prometheus::Histogram>& changed_to_live_;
};

// /healthz: 200 as long as `alive` holds. /readyz: 200 where `unready` says nothing, else 503 and what it says.
// /metrics: the text of `metrics`. All are called in threads of the server.
class HttpServer {
 public:
  struct Answers {
    std::function<bool()> alive;
    std::function<std::string()> unready;
    std::function<std::string()> metrics;
  };

  // "HOST:PORT", ":PORT" or "PORT". Null: `error` says why, and what helps.
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

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_
