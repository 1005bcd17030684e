#include "observe/flow_log_sink.h"

#include <algorithm>
#include <utility>

#include "observe/ipfix.h"
#include "observe/ipfix_sink.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t NowUnixNs() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

std::string TextOfJson(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'; }

// The named fields of a line, in the order of the names. Fields that the line lacks are left out.
Json Chosen(const Json& line, const std::vector<std::string>& names) {
  Json chosen = Json::object();
  for (const std::string& name : names) {
    const std::size_t dot = name.find('.');
    const auto field = line.find(name.substr(0, dot));
    if (field == line.end()) continue;
    if (dot == name.npos) {
      chosen[name] = *field;
    } else if (const auto part = field->find(name.substr(dot + 1)); part != field->end()) {
      chosen[name.substr(0, dot)][name.substr(dot + 1)] = *part;
    }
  }
  return chosen;
}

}  // namespace

const Json& FlowLogLine::json() {
  if (!json_) json_ = ToJson(record_);
  return *json_;
}

const std::string& FlowLogLine::text() {
  if (text_.empty()) text_ = ToJsonLine(record_);
  return text_;
}

const std::string& FlowLogLine::ipfix() {
  if (ipfix_.empty()) ipfix_ = IpfixRecord(record_);
  return ipfix_;
}

void FlowLogSums::Add(FlowLogLine& line) {
  Json fields = Chosen(line.json(), settings_.aggregate_by);
  std::string key = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto known = sums_.find(key);
  if (known != sums_.end()) return AddTo(known->second, line.record());
  if (sums_.size() >= kMostSums) return AddTo(rest_, line.record());
  Sum& sum = sums_[std::move(key)];
  sum.fields = std::move(fields);
  AddTo(sum, line.record());
}

// Adds the part of a flow that was not told before: with `live` lines, the record of its end has only the rest.
void FlowLogSums::AddTo(Sum& sum, const FlowLogRecord& record) {
  ++sum.records;
  sum.traffic = sum.traffic + (record.traffic - record.told);
  sum.reply = sum.reply + (record.reply - record.reply_told);
  const std::uint64_t first = record.told.packets == 0 ? record.first_unix_ns : record.last_unix_ns;
  sum.first_unix_ns = sum.first_unix_ns == 0 ? first : std::min(sum.first_unix_ns, first);
  sum.last_unix_ns = std::max(sum.last_unix_ns, record.last_unix_ns);
}

void FlowLogSums::Take(std::uint64_t unix_ns, const std::function<void(Json line)>& write) {
  for (const auto& [key, sum] : sums_) write(LineOf(sum, unix_ns));
  if (rest_.records != 0) write(LineOf(rest_, unix_ns));
  sums_.clear();
  rest_ = Sum();
}

Json FlowLogSums::LineOf(const Sum& sum, std::uint64_t unix_ns) const {
  Json line{{"time", Rfc3339(unix_ns)}, {"type", "sum"}, {"seconds", settings_.aggregate_seconds}};
  if (sum.fields.is_object()) line.update(sum.fields);
  line["records"] = sum.records;
  line["packets"] = sum.traffic.packets;
  line["bytes"] = sum.traffic.bytes;
  line["reply_packets"] = sum.reply.packets;
  line["reply_bytes"] = sum.reply.bytes;
  line["first"] = Rfc3339(sum.first_unix_ns);
  line["last"] = Rfc3339(sum.last_unix_ns);
  return line;
}

FlowLogSink::FlowLogSink(FlowLogSinkSettings settings)
    : settings_(std::move(settings)),
      out_(settings_.is_ipfix()
               ? MakeIpfixSink(settings_.to)
               : LogSink::Of(settings_.to, {std::uint64_t{settings_.most_mb} << 20, settings_.kept, settings_.gzip})),
      sums_(settings_),
      sums_due_(Clock::now() + std::chrono::seconds(settings_.aggregate_seconds)) {
  for (const FlowLogCondition& condition : settings_.filter) {
    filter_.Add(condition.name, condition.value, condition.negated);
    if (!FlowLogFilter::AsksAnEnd(condition.name)) {
      filter_without_ends_.Add(condition.name, condition.value, condition.negated);
    }
  }
}

// A denial that was counted by rule has unknown ends: they may be any ends that are asked for.
bool FlowLogSink::Wants(FlowLogLine& line) const {
  const FlowLogRecord& record = line.record();
  if (settings_.only != FlowLogOnly::kAll && (settings_.only == FlowLogOnly::kDenied) != record.is_deny) return false;
  if (record.is_live && settings_.only == FlowLogOnly::kEnded) return false;
  const FlowLogFilter& filter = record.is_deny && !record.source ? filter_without_ends_ : filter_;
  return filter.empty() || filter.Matches(line.json());
}

bool LineRate::HasCredit(Clock::time_point now, double rate) {
  credit_ = std::min(rate, credit_ + rate * std::chrono::duration<double>(now - time_).count());
  time_ = now;
  return credit_ >= 1;
}

LineRate& PolicyRates::Of(const std::string& policy) {
  if (const auto known = rates_.find(policy); known != rates_.end()) return known->second;
  return rates_.size() < kMost ? rates_[policy] : others_;
}

bool PolicyRates::Take(const FlowLogRecord& record, LineRate::Clock::time_point now, double rate) {
  static const std::string kNone;
  const TableRule* const egress = record.egress.get();
  const TableRule* const ingress = record.ingress.get();
  LineRate& one = Of(egress != nullptr ? egress->policy : ingress != nullptr ? ingress->policy : kNone);
  LineRate& other = egress != nullptr && ingress != nullptr ? Of(ingress->policy) : one;
  if (!one.HasCredit(now, rate) || !other.HasCredit(now, rate)) return false;
  one.Spend();
  if (&other != &one) other.Spend();
  return true;
}

bool FlowLogSink::HasCredit(Clock::time_point now) {
  if (settings_.lines_per_second == 0) return true;
  if (!rate_.HasCredit(now, settings_.lines_per_second)) return false;
  rate_.Spend();
  return true;
}

void FlowLogSink::Take(FlowLogLine& line, Clock::time_point now) {
  if (over_ || !Wants(line)) return;
  if (!settings_.aggregate_by.empty()) return sums_.Add(line);
  const std::uint32_t policy_rate = settings_.policy_lines_per_second;
  if (policy_rate != 0 && !policy_rates_.Take(line.record(), now, policy_rate)) return Lose(LogLoss::kRate, 1);
  if (!HasCredit(now)) return Lose(LogLoss::kRate, 1);
  const bool taken = settings_.is_ipfix()       ? WriteLine(line.ipfix())
                     : settings_.fields.empty() ? WriteLine(line.text())
                                                : WriteLine(TextOfJson(Chosen(line.json(), settings_.fields)));
  if (!taken) Lose(LogLoss::kSink, 1);
}

void FlowLogSink::Write(std::string_view line, Clock::time_point now) {
  if (!HasCredit(now)) return Lose(LogLoss::kRate, 1);
  if (!WriteLine(line)) Lose(LogLoss::kSink, 1);
}

void FlowLogSink::WriteSums(Clock::time_point now) {
  sums_due_ = now + std::chrono::seconds(settings_.aggregate_seconds);
  sums_.Take(NowUnixNs(), [&](const Json& line) { Write(TextOfJson(line), now); });
}

void FlowLogSink::Lose(LogLoss cause, std::uint64_t count) {
  if (over_) return;
  lost_[static_cast<std::size_t>(cause)].Add(count);
  untold_[static_cast<std::size_t>(cause)] += count;
}

bool FlowLogSink::WriteLine(std::string_view line) {
  if (!out_->Write(line)) return false;
  ++taken_;
  return true;
}

// Reports losses in the stream itself, once it takes lines again.
void FlowLogSink::TellLosses() {
  if (settings_.is_ipfix()) return TellLossesToCollector();
  for (std::size_t i = 0; i < untold_.size(); ++i) {
    if (untold_[i] == 0) continue;
    if (!WriteLine("{\"time\":\"" + Rfc3339(NowUnixNs()) + "\",\"type\":\"lost\",\"not_logged\":" +
                   std::to_string(untold_[i]) + ",\"cause\":\"" + std::string(kLogLossNames[i]) + "\"}\n")) {
      return;
    }
    untold_[i] = 0;
  }
}

// Tells a collector how many records it did not get in all, whatever the cause. It is told again now and then, since
// the record that says so may be lost too.
void FlowLogSink::TellLossesToCollector() {
  constexpr std::chrono::seconds kAgain(60);
  std::uint64_t all = 0;
  for (const Counter& lost : lost_) all += lost.value();
  const auto now = Clock::now();
  if (all == 0 || (all == told_ && now < tell_again_) || !out_->Write(IpfixNotSent(all))) return;
  told_ = all;
  tell_again_ = now + kAgain;
}

// Counts the lines that were really written, of those that out_ took since the last time: a file and a socket get
// several at once. The lost lines are taken to be the last ones: first of all those that reported losses.
void FlowLogSink::CountWritten() {
  const auto untold = untold_;
  const std::uint64_t before = taken_;
  TellLosses();
  const std::uint64_t telling = taken_ - before;
  out_->Tend();
  const std::uint64_t lost = out_->TakeLostLater();
  lines_.Add(taken_ - std::min(taken_, lost));
  taken_ = 0;
  if (lost == 0) return;
  if (telling != 0) untold_ = untold;
  Lose(LogLoss::kSink, lost - std::min(lost, telling));
}

// A problem is logged once, and so is its end.
void FlowLogSink::Tend(Clock::time_point now, const Say& say) {
  const bool ends = !over_ && settings_.until_unix_ns != 0 && NowUnixNs() >= settings_.until_unix_ns;
  if (!settings_.aggregate_by.empty() && (ends || now >= sums_due_)) WriteSums(now);
  CountWritten();
  if (ends) {
    over_ = true;
    say("flow log " + Printable(settings_.to) + ": its `until` has come: it gets no more lines");
  }
  const std::string& problem = out_->problem();
  if (problem.empty() == said_.empty()) return;
  say("flow log " + Printable(settings_.to) +
      (problem.empty() ? ": takes lines again" : ": lines are lost until it takes them again: " + Printable(problem)));
  said_ = problem;
}

void FlowLogSink::Finish(const Say& say) {
  const auto now = Clock::now();
  if (!settings_.aggregate_by.empty()) WriteSums(now);
  Tend(now, say);
  out_->Finish();
}

}  // namespace sluice
