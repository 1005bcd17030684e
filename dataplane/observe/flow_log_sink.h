// One sink of the flow log: which records it wants, in which form, and how many of them it lost.
//
// Used by one thread, except for the counters.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SINK_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SINK_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/counters.h"
#include "observe/flow_log_filter.h"
#include "observe/flow_log_record.h"
#include "observe/flow_log_settings.h"
#include "observe/log_sink.h"

namespace sluice {

// Lines that a sink did not get, by cause.
enum class LogLoss : std::uint8_t {
  kRing,  // a worker's ring was full: ended flows of any kind
  kSink,  // the sink could not take them
  kRate,  // beyond lines_per_second, or a policy's limit
};
inline constexpr std::array<std::string_view, 3> kLogLossNames = {"ring", "sink", "rate"};

// A record in the forms that sinks write. Each form is made once, and only if a sink wants it.
class FlowLogLine {
 public:
  explicit FlowLogLine(const FlowLogRecord& record) : record_(record) {}

  const FlowLogRecord& record() const { return record_; }
  const nlohmann::ordered_json& json();
  const std::string& text();   // with its newline
  const std::string& ipfix();  // made by IpfixRecord

 private:
  const FlowLogRecord& record_;
  std::optional<nlohmann::ordered_json> json_;
  std::string text_;
  std::string ipfix_;
};

// Adds up records: records with equal values in some fields become one line.
class FlowLogSums {
 public:
  using Json = nlohmann::ordered_json;
  static constexpr std::size_t kMostSums = 65536;  // records beyond that become one line without those fields

  explicit FlowLogSums(const FlowLogSinkSettings& settings) : settings_(settings) {}

  void Add(FlowLogLine& line);
  // Calls write(Json line) for each sum, and begins again from zero.
  void Take(std::uint64_t unix_ns, const std::function<void(Json line)>& write);
  std::size_t size() const { return sums_.size(); }

 private:
  struct Sum {
    Json fields;
    std::uint64_t records = 0;
    FlowTraffic traffic;
    FlowTraffic reply;
    std::uint64_t first_unix_ns = 0;
    std::uint64_t last_unix_ns = 0;
  };
  static void AddTo(Sum& sum, const FlowLogRecord& record);
  Json LineOf(const Sum& sum, std::uint64_t unix_ns) const;

  const FlowLogSinkSettings& settings_;
  std::unordered_map<std::string, Sum> sums_;  // the key is the text of the fields
  Sum rest_;
};

// A limit of lines a second. Up to one second's lines may come at once.
class LineRate {
 public:
  using Clock = std::chrono::steady_clock;

  bool HasCredit(Clock::time_point now, double rate);
  void Spend() { credit_ -= 1; }

 private:
  double credit_ = 0;
  Clock::time_point time_;
};

// The same limit for each policy that decided a record. A record that two policies decided counts for both.
class PolicyRates {
 public:
  static constexpr std::size_t kMost = 65536;  // policies; all further ones share one limit

  bool Take(const FlowLogRecord& record, LineRate::Clock::time_point now, double rate);

 private:
  LineRate& Of(const std::string& policy);

  std::unordered_map<std::string, LineRate> rates_;
  LineRate others_;
};

class FlowLogSink {
 public:
  using Clock = std::chrono::steady_clock;
  using Say = std::function<void(std::string_view)>;

  explicit FlowLogSink(FlowLogSinkSettings settings);

  const FlowLogSinkSettings& settings() const { return settings_; }
  bool WantsEnds() const { return settings_.only != FlowLogOnly::kDenied; }
  // Writes the record, adds it up or loses it, if the sink wants it.
  void Take(FlowLogLine& line, Clock::time_point now);
  void Lose(LogLoss cause, std::uint64_t count);
  // Call it a few times a second. Does what is due, and says what the log should hear.
  void Tend(Clock::time_point now, const Say& say);
  // Writes the sums, and what waits.
  void Finish(const Say& say);

  // Any thread.
  std::uint64_t lines() const { return lines_.value(); }
  std::uint64_t lost(std::size_t cause) const { return lost_[cause].value(); }

 private:
  bool Wants(FlowLogLine& line) const;
  bool HasCredit(Clock::time_point now);
  void Write(std::string_view line, Clock::time_point now);
  void WriteSums(Clock::time_point now);
  bool WriteLine(std::string_view line);
  void TellLosses();
  void TellLossesToCollector();
  void CountWritten();

  const FlowLogSinkSettings settings_;
  FlowLogFilter filter_;
  FlowLogFilter filter_without_ends_;  // the conditions of filter_ that ask about no end
  const std::unique_ptr<LogSink> out_;
  FlowLogSums sums_;
  Clock::time_point sums_due_;
  bool over_ = false;  // `until` has passed
  LineRate rate_;
  PolicyRates policy_rates_;
  std::array<std::uint64_t, kLogLossNames.size()> untold_{};
  std::uint64_t told_ = 0;        // losses that a collector was told
  Clock::time_point tell_again_;  // ... and when to tell it again, even without a new loss
  std::uint64_t taken_ = 0;       // lines that `out_` took since they were counted
  std::string said_;              // the last problem that was logged
  Counter lines_;
  std::array<Counter, kLogLossNames.size()> lost_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SINK_H_
