// What the commands that ask a running sluiced share: the connection, and lists in every form of output.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LIVE_H_
#define SLUICE_PROGRAMS_SLUICECTL_LIVE_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/v1/observe.grpc.pb.h"
#include "sluicectl/output.h"

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
  std::string format = "table";
};

// --target and the like, and -o where the command lists.
void AddTargetOptions(CLI::App& command, LiveOptions& options);
void AddFormatOption(CLI::App& command, LiveOptions& options);

// A connection to ask; null, and why on standard error, where the options cannot be.
std::unique_ptr<v1::ObserveService::Stub> ConnectTo(const LiveOptions& options);

// A call's context: it does not wait for ever.
class Call : public grpc::ClientContext {
 public:
  explicit Call(int seconds = 60);
};

// kExitFine, or kExitBadInput with what went wrong on standard error.
int Finish(const LiveOptions& options, const grpc::Status& status);

// A column of a table: the key of a row's object that it shows. Wide ones show with -o wide.
struct Column {
  std::string_view header;
  std::string_view key;
  bool wide = false;
};

// Writes rows as they come: aligned for people, or as a list of objects (JSON, YAML).
class Listing {
 public:
  Listing(Output& output, std::string_view format, std::vector<Column> columns);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  void Add(const Json& row);

 private:
  Output& output_;
  const bool json_;
  const bool yaml_;
  std::vector<Column> columns_;
  std::optional<TextTable> table_;
  bool first_ = true;
};

// One object: "key: value" lines for people and YAML, or JSON.
void WriteObject(Output& output, std::string_view format, const Json& object);

std::string AddressText(std::string_view bytes);
// "3d4h", "5m12s": how long ago a time was; "never" for 0.
std::string AgeText(std::uint64_t unix_ns);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_H_
