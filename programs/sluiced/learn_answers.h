// Passes DNS answers that were read to the store of the names that rules ask for.
#ifndef SLUICE_PROGRAMS_SLUICED_LEARN_ANSWERS_H_
#define SLUICE_PROGRAMS_SLUICED_LEARN_ANSWERS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "dns/answer_watcher.h"
#include "names/name_store.h"

namespace sluice {

// Used by the names' thread.
class LearnAnswers final : public AnswerSink {
 public:
  // `store` outlives it.
  explicit LearnAnswers(NameStore& store) : store_(store) {}

  std::size_t Learn(const DnsAnswer& answer, const IpAddress& resolver, std::uint64_t clock_ns) override {
    const auto unix_ns = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    const std::string from = resolver.ToString();
    const NameAnswer learnt{answer.names, answer.addresses, answer.ttl_s, from};
    return store_.Learn(learnt, {clock_ns, static_cast<std::uint64_t>(unix_ns)}).kept;
  }

 private:
  NameStore& store_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_LEARN_ANSWERS_H_
