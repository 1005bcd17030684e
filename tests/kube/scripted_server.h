// An HTTP server on 127.0.0.1 that answers requests for pods as a test says, one step a request, and has nothing of the
// other resources. For what a real API server does only rarely. A question for the present version (a list with
// limit=1) is no step: present_version is the answer.
#ifndef SLUICE_TESTS_KUBE_SCRIPTED_SERVER_H_
#define SLUICE_TESTS_KUBE_SCRIPTED_SERVER_H_

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kube/access.h"

namespace sluice {

class ScriptedServer {
 public:
  // One answer, within the step that makes it. The connection closes when the step returns.
  class Reply {
   public:
    Reply(int socket, const std::atomic<bool>& stopping) : socket_(socket), stopping_(stopping) {}

    // `headers`: lines that end with "\r\n".
    void Head(int status, const std::string& headers = "");
    // False: the client has gone.
    bool Body(std::string_view bytes);
    // Says no more, until the client goes or the test ends.
    void Hold();

   private:
    int socket_;
    const std::atomic<bool>& stopping_;
  };
  using Step = std::function<void(Reply&)>;

  // The last step answers all further requests.
  explicit ScriptedServer(std::vector<Step> steps);
  ~ScriptedServer();

  KubeAccess Access() const;
  // The targets ("/api/v1/pods?...") of the requests for pods so far, less the questions for the present version.
  std::vector<std::string> targets();

  std::atomic<int> present_version = 1'000'000;  // less than 0: a wrong answer
  std::atomic<int> version_questions = 0;        // so far
  // Whether /apis names a version of cluster policies, which is not served.
  std::atomic<bool> names_policies = false;
  std::atomic<int> policies_questions = 0;  // for it, so far

 private:
  void Accept();
  void Serve(int socket);

  std::vector<Step> steps_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<std::string> targets_;  // by mutex_
  std::list<std::thread> threads_;    // by the thread that accepts, then by the destructor
  std::thread acceptor_;
};

// Bodies.
std::string PodJson(const std::string& name, const std::string& version);
std::string EventLine(const std::string& type, const std::string& object);
std::string BookmarkLine(const std::string& version, bool ends_initial_list);
std::string StatusJson(int code, const std::string& reason, const std::string& message);
std::string PodList(const std::vector<std::string>& pods, const std::string& version,
                    const std::string& continue_token);

// Steps.
ScriptedServer::Step Refuse(int code, const std::string& reason, const std::string& message);
// Sends `body` and closes, or holds the connection open.
ScriptedServer::Step Send(const std::string& body);
ScriptedServer::Step SendAndHold(const std::string& body);

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_SCRIPTED_SERVER_H_
