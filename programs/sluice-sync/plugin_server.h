// The socket that the CNI plugin asks at: a message in, a message out.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace sluice {

// What is wrong with the path of a socket; empty: nothing.
std::string CheckSocketPath(const std::string& path);

class PluginServer {
 public:
  // Called in threads of the server, many at a time.
  using Answer = std::function<std::string(const std::string& request)>;

  // Makes the socket, for this user and root alone (0600), in the place of one that an earlier run left. Null: `error`
  // says why, and what helps.
  static std::unique_ptr<PluginServer> Start(const std::string& path, Answer answer, std::string& error);
  // Ends once no call is answered any more.
  ~PluginServer();
  PluginServer(const PluginServer&) = delete;
  PluginServer& operator=(const PluginServer&) = delete;

 private:
  PluginServer(int listener, int stop, Answer answer);

  void Loop();
  void Serve(int connection);

  const int listener_;
  const int stop_;  // an eventfd
  const Answer answer_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int calls_ = 0;  // under way, a thread each
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_
