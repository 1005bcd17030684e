// The names' thread: takes the workers' copies of DNS packets, reads them, and passes on what they say. It also
// releases the frames that wait for it: a frame may go once its copy was taken.
//
// Make it before the workers start, and end it after they have ended. It polls, since workers wake nobody: often while
// there are DNS packets, and once a millisecond otherwise.
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
  // `sink` and the taps outlive it. Workers may be added (Add) until it starts.
  explicit DnsListener(AnswerSink& sink) : watcher_(sink) {}
  ~DnsListener() { Stop(); }
  DnsListener(const DnsListener&) = delete;
  DnsListener& operator=(const DnsListener&) = delete;

  void Add(DnsTap& tap) { taps_.push_back(&tap); }
  void Start();
  void Stop();

  // For use without its thread: reads everything that was copied so far. Returns how many packets that was.
  std::size_t Turn();

  // Sets the trusted resolvers. Called by one control thread. False: a worker has not taken up the last list yet; call
  // again later.
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
