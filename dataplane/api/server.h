// The gRPC server: where it listens, who may connect, how much clients may ask. Includes health and reflection.
//
// File permissions (0660) protect a Unix socket. Mutual TLS protects TCP, or nothing if the operator insists. The
// control thread makes and stops the server.
#ifndef SLUICE_DATAPLANE_API_SERVER_H_
#define SLUICE_DATAPLANE_API_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/settings.h"

namespace grpc {
class Channel;
class Server;
class Service;
namespace experimental {
class ExternalConnectionAcceptor;
}  // namespace experimental
}  // namespace grpc

namespace sluice {

class Doorkeeper;
class ReflectionService;

struct ApiProblem {
  std::string key;   // "tls", or "listen[1]": the second address
  std::string what;  // includes the remedy
};

// Says what is wrong with each address, alone or together with the other settings. Does not try the addresses.
std::vector<ApiProblem> CheckApiSettings(const ApiSettings& settings);

class ApiServer {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log

  // The services outlive the server. A socket at which nobody listens any more is replaced. The error names the address
  // and a remedy.
  static std::variant<std::unique_ptr<ApiServer>, std::string> Start(const ApiSettings& settings,
                                                                     const std::vector<grpc::Service*>& services,
                                                                     const Say& say);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Ends every call, within two seconds: a client that does not read what it is sent is cut off.
  void Stop();

  // A channel for callers within this process. Its calls fail once the server is stopped.
  std::shared_ptr<grpc::Channel> InProcess();

  // The TCP port of each address of the settings (for port 0, the free port that was taken); 1 for a Unix socket.
  const std::vector<int>& ports() const { return ports_; }

 private:
  ApiServer();

  std::unique_ptr<ReflectionService> reflection_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>> acceptors_;  // one for each address
  std::unique_ptr<Doorkeeper> doorkeeper_;                                                  // gives them connections
  std::vector<int> ports_;
  std::vector<std::string> sockets_;  // paths to remove at the end
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_SERVER_H_
