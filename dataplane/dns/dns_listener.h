// The names' thread: takes the workers' copies, reads them, teaches what they say, and lets the frames go that wait for
// it, which they do once their copy was taken.
//
// Made before the workers start, and ended after they did. It polls, since workers call nobody: often while DNS goes
// by, and once a millisecond otherwise.
#ifndef SLUICE_DATAPLANE_DNS_DNS_LISTENER_H_
#define SLUICE_DATAPLANE_DNS_DNS_LISTENER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/dns_tap.h"
#include "core/dns_totals.h"
#include "dns/answer_watcher.h"

namespace sluice {

class DnsListener {
 public:
  // `sink` and the taps outlive it; workers may come (Add) until it starts.
  explicit DnsListener(AnswerSink& sink) : watcher_(sink) {}
  ~DnsListener() { Stop(); }
  DnsListener(const DnsListener&) = delete;
  DnsListener& operator=(const DnsListener&) = delete;

  void Add(DnsTap& tap) { taps_.push_back(&tap); }
  void Start();
  void Stop();

  // Without a thread of its own: reads all that was copied so far. Returns how many packets that was.
  std::size_t Turn();

  // One control thread: which resolvers are trusted from now on. False: a worker has yet to take up what was said
  // before; say it again later.
  bool Trust(const std::vector<IpAddress>& sorted);

  // Any thread.
  DnsTotals totals() const;

 private:
  void Run();

  std::vector<DnsTap*> taps_;
  AnswerWatcher watcher_;
  std::atomic<bool> is_stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_DNS_LISTENER_H_
