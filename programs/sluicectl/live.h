// Shared by the commands that ask a running sluiced: the connection, and lists in every form of output.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LIVE_H_
#define SLUICE_PROGRAMS_SLUICECTL_LIVE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/v1/observe.grpc.pb.h"
#include "sluicectl/decision.h"
#include "sluicectl/output.h"
#include "sluicectl/traffic_end.h"

namespace CLI {
class App;
}

namespace sluice {

using Json = nlohmann::ordered_json;

struct LiveOptions {
  std::string target = "unix:/run/sluice/sluiced.sock";
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;
  bool insecure = false;
  double timeout = 60;  // how many seconds we wait for sluiced
  std::string format = "table";
  bool no_headers = false;
};

// Adds --target, --timeout and similar options; -o; and --no-headers if the command lists.
void AddTargetOptions(CLI::App& command, LiveOptions& options);
// Adds the same without --target.
void AddConnectionOptions(CLI::App& command, LiveOptions& options);
void AddFormatOption(CLI::App& command, LiveOptions& options);
void AddHeadersOption(CLI::App& command, LiveOptions& options);

// Whether rows are for a table, not for JSON or YAML.
bool IsForPeople(const LiveOptions& options);

// Make a connection, and a stub. Null if the options are wrong; standard error says why.
std::shared_ptr<grpc::Channel> ChannelTo(const LiveOptions& options);
std::unique_ptr<v1::ObserveService::Stub> ConnectTo(const LiveOptions& options);

// A call's context, with a limit for each wait for the server. Our own time does not count.
class Call : public grpc::ClientContext {
 public:
  explicit Call(const LiveOptions& options);
  ~Call();

  // `open(this)` opens a stream.
  template <typename Begin>
  auto Open(Begin open) {
    const Waiting waiting(*this);
    return open(this);
  }
  // Reads the next message of a stream.
  template <typename Message>
  bool Read(grpc::ClientReader<Message>& reader, Message* message) {
    const Waiting waiting(*this);
    return reader.Read(message);
  }
  // Returns how a stream ended that was read to its end.
  template <typename Message>
  grpc::Status Finish(grpc::ClientReader<Message>& reader) {
    grpc::Status status;
    {
      const Waiting waiting(*this);
      status = reader.Finish();
    }
    return EndOf(status);
  }
  // Notes that an endless stream has begun. Its messages may then take their time.
  template <typename Message>
  void AwaitBegin(grpc::ClientReader<Message>& reader) {
    const Waiting waiting(*this);
    reader.WaitForInitialMetadata();
  }
  // `ask(this)` asks for a single answer.
  template <typename Ask>
  grpc::Status Once(Ask ask) {
    grpc::Status status;
    {
      const Waiting waiting(*this);
      status = ask(this);
    }
    return EndOf(status);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kNotWaiting{};

  class Waiting {
   public:
    explicit Waiting(Call& call) : call_(call) { call_.waits_since_ = Clock::now(); }
    ~Waiting() { call_.waits_since_ = kNotWaiting; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Call& call_;
  };
  void RunWatch();
  grpc::Status EndOf(const grpc::Status& status) const;

  const std::chrono::duration<double> timeout_;
  std::atomic<Clock::time_point> waits_since_ = kNotWaiting;
  std::atomic<bool> timed_out_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread watch_;
};

// Prints "error: ..." on standard error, and returns kExitBadInput.
int Fail(const std::string& message);

// Returns kExitFine, or kExitBadInput with the reason on standard error.
int Finish(const LiveOptions& options, const grpc::Status& status);

// Calls `visit(flow)` for each flow in an answer to ListFlows, which is one flow or contains many.
template <typename Visit>
void ForEachFlow(const v1::Flow& message, Visit visit) {
  if (message.flows().empty()) return visit(message);
  for (const v1::Flow& flow : message.flows()) visit(flow);
}

// A column of a table, and the key of a row's object that it shows.
struct Column {
  std::string_view header;
  std::string_view key;
  bool wide = false;      // shown only with -o wide
  std::size_t width = 0;  // the least, for a stream: it sees few rows in advance
};

// The rows of a listing: a complete list, or a stream, in which each row must be readable at once.
enum class Rows : std::uint8_t { kList, kStream };

// Writes rows as they come: aligned for people, or as a list of objects (JSON, YAML). A stream's JSON is one line for
// each row. With `-o name` it writes only the rows' `full_name`.
class Listing {
 public:
  Listing(Output& output, const LiveOptions& options, std::vector<Column> columns, Rows rows = Rows::kList);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  void Add(const Json& row);
  // Shows the rows that were added. False: nobody reads the output any more.
  bool Flush();
  bool empty() const { return first_; }

 private:
  Output& output_;
  const bool json_;
  const bool yaml_;
  const Rows rows_;
  std::vector<Column> columns_;
  std::optional<TextTable> table_;
  bool first_ = true;
};

// Writes one object: "key: value" lines for people and YAML, or JSON.
void WriteObject(Output& output, std::string_view format, const Json& object);

std::string AddressText(std::string_view bytes);
std::string_view TierText(v1::Tier tier);
std::string_view ActionText(v1::Action action);
Direction DirectionOf(v1::Direction direction);
// Returns a rule of an answer as the decision that the rule made. It refers to the rule.
SideAnswer ToAnswer(const v1::RuleName& rule);
// "2026-11-30T03:25:27.123Z" (RFC 3339); null for 0.
Json TimeJson(std::uint64_t unix_ns);
// "app=web,tier=front" as {"app":"web","tier":"front"}.
Json LabelsJson(std::string_view labels);
// Returns how long ago a time was: "5m12s ago"; "never" for 0.
std::string AgoText(std::uint64_t unix_ns);
// "3d4h", "5m12s"
std::string SpanText(std::int64_t seconds);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_H_
