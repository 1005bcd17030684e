// Calls that read: each client's share of them, the threads that work on them, and how their answers get to clients.
//
// gRPC's threads hand a call in and carry its answer away. A thread of ours makes the answer, message by message, and
// waits while the client takes nothing. A client's behaviour costs only its own calls:
// - Each client (a connection) has a share of the threads, and of the calls that cost much. Further calls wait.
// - A call that waits too long is answered RESOURCE_EXHAUSTED. The message says which limit was reached.
// - If a call waits for a thread, a call whose client reads nothing makes room for it.
// - A call whose client reads nothing for a long time ends in any case.
// A request of more than a few kilobytes is refused before it is parsed.
#ifndef SLUICE_DATAPLANE_API_READ_CALLS_H_
#define SLUICE_DATAPLANE_API_READ_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/limits.h"
#include "api/message_bytes.h"

namespace sluice {

class ReadCall;

// Takes the messages of a call's answer. Used by the thread that works on the call.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  // Takes the message, and waits while the client is behind. False: the call is over, and the caller must return.
  virtual bool Write(const google::protobuf::Message& message) = 0;
  // Tells the client that the call has begun. Useful if the first message comes much later.
  virtual void SendInitialMetadata() = 0;
  // Waits for `time`, or until the call is over. Returns whether it is over.
  virtual bool WaitUntilOver(std::chrono::milliseconds time) = 0;
};

enum class ReadKind : std::uint8_t { kList, kWholePolicy, kWatch };
inline constexpr std::size_t kReadKinds = 3;

struct ReadLimits {
  std::size_t threads = kMaxReaderThreads;  // calls at once
  std::array<std::size_t, kReadKinds> of_all{kMaxReaderThreads, kMaxPolicyReaders, kMaxDropWatchers};
  std::array<std::size_t, kReadKinds> of_one{8, 1, 4};  // a client's share of of_all
  std::size_t waiting = kMaxReadsWaiting;
  std::chrono::milliseconds most_waiting{5'000};
  std::chrono::milliseconds patience{1'000};      // with a client that reads nothing while other calls wait
  std::chrono::milliseconds most_unread{60'000};  // with a client that reads nothing
};

class ReadCalls {
 public:
  using Make = std::function<grpc::Status(AnswerWriter&)>;  // makes an answer

  explicit ReadCalls(const ReadLimits& limits);
  // Requires that the server was shut down. Waits until gRPC is done with every call.
  ~ReadCalls();
  ReadCalls(const ReadCalls&) = delete;
  ReadCalls& operator=(const ReadCalls&) = delete;

  // Return the reactor for a call. `make(request, writer)` makes its answer: a stream of messages, or a single one.
  template <typename Request, typename MakeAnswer>
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Stream(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, ReadKind kind, MakeAnswer make) {
    return StartStream(context, kind, Bind<Request>(*request, std::move(make)));
  }
  template <typename Request, typename MakeAnswer>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response, MakeAnswer make) {
    return StartUnary(context, response, Bind<Request>(*request, std::move(make)));
  }

 private:
  friend class ReadCall;

  using CallPtr = std::shared_ptr<ReadCall>;
  using Clock = std::chrono::steady_clock;

  // Returns a function that calls `make` with the request, or one that says why the request is refused.
  template <typename Request, typename MakeAnswer>
  static Make Bind(const grpc::ByteBuffer& bytes, MakeAnswer make) {
    auto request = std::make_shared<Request>();
    if (bytes.Length() > kMaxAskedBytes) {
      return [](AnswerWriter&) {
        return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                            "a request of more than " + std::to_string(kMaxAskedBytes >> 10) + " KB");
      };
    }
    if (const grpc::Status status = Unpack(bytes, request.get()); !status.ok()) {
      return [status](AnswerWriter&) { return status; };
    }
    return [request, make = std::move(make)](AnswerWriter& writer) { return make(*request, writer); };
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(grpc::CallbackServerContext* context, ReadKind kind,
                                                          Make make);
  grpc::ServerUnaryReactor* StartUnary(grpc::CallbackServerContext* context, grpc::ByteBuffer* response, Make make);

  void Enter(const CallPtr& call);
  void Leave(const ReadCall* call);  // the call was cancelled
  void Done();                       // gRPC is done with one call
  void RunWorker();
  void RunGuard();

  // Require the mutex.
  std::size_t Running(const ReadCall& like, bool of_its_client) const;
  bool MayStart(const ReadCall& call) const;
  std::string WhyNot(const ReadCall& call) const;
  CallPtr TakeNext();
  std::vector<CallPtr> TakeExpired(Clock::time_point now);
  void MakeRoom(Clock::time_point now);

  const ReadLimits limits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<CallPtr> waiting_;
  std::vector<CallPtr> running_;
  std::vector<std::thread> threads_;  // started when first needed
  std::size_t idle_ = 0;
  std::size_t calls_ = 0;  // calls that gRPC is not done with
  bool stop_ = false;
  std::thread guard_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_READ_CALLS_H_
