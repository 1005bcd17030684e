// Stands between sluice-sync and the API server, over plain HTTP on 127.0.0.1, and passes everything on as it comes,
// but for the answers that a test makes wrong.
#ifndef SLUICE_TESTS_FAULTS_API_PROXY_H_
#define SLUICE_TESTS_FAULTS_API_PROXY_H_

#include <array>
#include <atomic>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kube/resource.h"

namespace sluice {

// In place of the answer to a list, a streaming list, a watch or the question for the present version.
enum class WrongAnswer {
  kStatus,        // 200, and a Status that says "Failure"
  kMetadata,      // 200, and a list's metadata alone
  kOtherKind,     // 200, and an empty list of something else
  kItemsAMap,     // 200, and a list whose items are {}
  kOtherDeleted,  // 200, and the deletion of a pod's namesake of another kind
  kBroken,        // 200, and the connection breaks off after some hundred bytes of the right answer
  kEnded,         // the same, and it looks like the answer's end
  kGone,          // 410, also as an event
  kFailed,        // 500
  kBusy,          // 429, Retry-After 1
  // The right list, less its objects. Not twice before a right one, and not first: what says so twice, or to a client
  // that knows nothing yet, is believed.
  kEmpty,
};
inline constexpr int kWrongAnswerCount = 11;

class ApiProxy {
 public:
  // Of the API server at that URL, whose certificate is of `ca_file`'s authority.
  ApiProxy(std::string server, std::string ca_file);
  ~ApiProxy();
  ApiProxy(const ApiProxy&) = delete;
  ApiProxy& operator=(const ApiProxy&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // The next requests for the resource are answered so, one each, in this order. Replaces what is left of an earlier
  // plan; empty: all is answered rightly.
  void Plan(Resource resource, const std::vector<WrongAnswer>& answers);
  // The client begins anew: nothing is planned.
  void Forget();
  // Whether all that was planned for the resource was asked for.
  bool Done(Resource resource);
  // Breaks all connections off, so that what is planned is asked for.
  void Cut() { ++cuts_; }
  int answered_wrongly() const { return answered_wrongly_; }

 private:
  struct Request;
  class Reply;

  void Accept();
  void Serve(int socket);
  std::optional<WrongAnswer> Next(const Request& request);
  void ListedRightly(const Request& request);
  bool AnswerWrongly(WrongAnswer answer, const Request& request, Reply& reply);
  void Forward(const Request& request, Reply& reply, std::optional<WrongAnswer> wrong);

  const std::string server_;
  const std::string ca_file_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> cuts_ = 0;
  std::atomic<int> answered_wrongly_ = 0;
  std::mutex mutex_;
  std::array<std::deque<WrongAnswer>, kResourceCount> plans_;  // by mutex_
  std::array<bool, kResourceCount> listed_ = {};               // rightly since kEmpty; by mutex_
  std::list<std::thread> threads_;                             // by the thread that accepts, then by the destructor
  std::thread acceptor_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_API_PROXY_H_
