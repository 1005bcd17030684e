// The socket for the CNI plugin's requests: one message in, one message out.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace sluice {

// Returns what is wrong with a socket's path; empty: nothing.
std::string CheckSocketPath(const std::string& path);

class PluginServer {
 public:
  // Called by the server's threads, many at a time.
  using Answer = std::function<std::string(const std::string& request)>;

  // Makes the socket, for this user and root only (0600), and replaces one that an earlier run left. If it returns
  // null, `error` says why and names a remedy.
  static std::unique_ptr<PluginServer> Start(const std::string& path, Answer answer, std::string& error);
  // Returns once no call is being answered any more.
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
  int calls_ = 0;  // calls under way, one thread each
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_SERVER_H_
