// The gRPC server: where it listens, who may connect, how much they may ask. Health and reflection come with it.
//
// A Unix socket is protected by file permissions (0660); TCP by mutual TLS, or by nothing where the operator insists.
// Made and stopped by the control thread.
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
  std::string what;  // with the remedy
};

// What is wrong with the addresses, each by itself and with the other settings, without trying them.
std::vector<ApiProblem> CheckApiSettings(const ApiSettings& settings);

class ApiServer {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log

  // The services outlive the server. A socket that nobody listens at any more is replaced. The error names the address
  // and a remedy.
  static std::variant<std::unique_ptr<ApiServer>, std::string> Start(const ApiSettings& settings,
                                                                     const std::vector<grpc::Service*>& services,
                                                                     const Say& say);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Ends every call, within two seconds: whoever does not read what is sent to him is cut off.
  void Stop();

  // For whoever asks from within this process. Its calls fail once the server is stopped.
  std::shared_ptr<grpc::Channel> InProcess();

  // By address of the settings: the TCP port that is listened at (port 0 takes a free one), 1 for a Unix socket.
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
