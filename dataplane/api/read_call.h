// One call that reads, from its request to its end. Only ReadCalls makes and uses it.
//
// Messages that the client has not taken yet wait here, some hundred kilobytes at most. Beyond that, the thread that
// makes them waits. If the call is cut off while gRPC still holds a message, gRPC is told to cancel the call and the
// thread goes on. How long gRPC then takes concerns only that connection.
#ifndef SLUICE_DATAPLANE_API_READ_CALL_H_
#define SLUICE_DATAPLANE_API_READ_CALL_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "api/read_calls.h"

namespace sluice {

class ReadCall : public AnswerWriter, public std::enable_shared_from_this<ReadCall> {
 public:
  using Clock = std::chrono::steady_clock;

  ReadCall(ReadCalls& calls, grpc::CallbackServerContext* context, ReadKind kind, ReadCalls::Make make);

  // A number that tells this call's connection from all others that have calls.
  std::uintptr_t client() const { return client_; }
  ReadKind kind() const { return kind_; }
  Clock::time_point came() const { return came_; }

  // Holds itself until gRPC is done with it.
  void Keep() { self_ = shared_from_this(); }
  // Makes the answer. Returns when the client took all of it, or the call is over. The thread that works on it.
  void Work();
  // Called instead of Work, if no thread works on the call.
  void Refuse(const grpc::Status& status);
  // Ends the call while a thread works on it. Any thread.
  void CutOff(const grpc::Status& status);
  bool cut_off() const;
  // Since when the working thread waits for a client that takes nothing; nothing: it does not wait. Any thread.
  std::optional<Clock::time_point> unread_since() const;

  bool Write(const google::protobuf::Message& message) override;
  void SendInitialMetadata() override;
  bool WaitUntilOver(std::chrono::milliseconds time) override;

 protected:
  // The reactors of both kinds of calls call these.
  void Written(bool ok);
  void Cancelled();
  void Done();

 private:
  virtual void SendMetadata() = 0;
  // A call with a single message writes nothing here: the message leaves with the end.
  virtual void Send(const grpc::ByteBuffer* message) = 0;
  virtual void SendEnd(const grpc::Status& status) = 0;

  void SendNext(std::unique_lock<std::mutex>& lock);

  ReadCalls& calls_;
  grpc::CallbackServerContext* const context_;
  const ReadKind kind_;
  const ReadCalls::Make make_;
  const std::uintptr_t client_;
  const Clock::time_point came_ = Clock::now();
  std::shared_ptr<ReadCall> self_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<grpc::ByteBuffer> queue_;
  std::size_t queued_bytes_ = 0;  // includes the message that is being sent
  grpc::ByteBuffer sending_;
  bool is_sending_ = false;
  bool over_ = false;                     // nothing more is sent
  bool ends_when_sent_ = false;           // no thread works on it any more
  std::optional<grpc::Status> why_over_;  // set if we ended it
  std::optional<Clock::time_point> unread_since_;
};

// The reactors for gRPC: a call that streams, and a call with a single message.
class StreamCall final : public ReadCall, public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  using ReadCall::ReadCall;

  void OnWriteDone(bool ok) override { Written(ok); }
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Done(); }

 private:
  void SendMetadata() override { StartSendInitialMetadata(); }
  void Send(const grpc::ByteBuffer* message) override { StartWrite(message); }
  void SendEnd(const grpc::Status& status) override { Finish(status); }
};

class UnaryCall final : public ReadCall, public grpc::ServerUnaryReactor {
 public:
  UnaryCall(ReadCalls& calls, grpc::CallbackServerContext* context, grpc::ByteBuffer* response, ReadCalls::Make make)
      : ReadCall(calls, context, ReadKind::kList, std::move(make)), response_(response) {}

  void OnCancel() override { Cancelled(); }
  void OnDone() override { Done(); }

 private:
  void SendMetadata() override {}
  void Send(const grpc::ByteBuffer* message) override {
    *response_ = *message;
    Written(true);
  }
  void SendEnd(const grpc::Status& status) override { Finish(status); }

  grpc::ByteBuffer* const response_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_READ_CALL_H_
