// One call that reads, from its request to its end. Made by ReadCalls, which alone uses it.
//
// Messages that the client has not taken yet wait here, some hundred kilobytes at most; the thread that makes them
// waits with them. Where the call is cut off while gRPC still holds a message, gRPC is told to cancel it and the thread
// goes on: how long gRPC then takes is the connection's affair.
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

  // Names its connection among those that have calls.
  std::uintptr_t client() const { return client_; }
  ReadKind kind() const { return kind_; }
  Clock::time_point came() const { return came_; }

  // Keeps itself until gRPC is done.
  void Keep() { self_ = shared_from_this(); }
  // Makes the answer; returns when it is made and taken, or the call is over. The thread that works on it.
  void Work();
  // In place of Work: nobody works on it.
  void Refuse(const grpc::Status& status);
  // Ends it while somebody works on it. Any thread.
  void CutOff(const grpc::Status& status);
  bool cut_off() const;
  // Since when its maker waits for a client that takes nothing; nothing: it does not. Any thread.
  std::optional<Clock::time_point> unread_since() const;

  bool Write(const google::protobuf::Message& message) override;
  void SendInitialMetadata() override;
  bool WaitUntilOver(std::chrono::milliseconds time) override;

 protected:
  // Called by the reactors of either kind.
  void Written(bool ok);
  void Cancelled();
  void Done();

 private:
  virtual void SendMetadata() = 0;
  // Nothing is written by a call of one message: it leaves with the end.
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
  std::size_t queued_bytes_ = 0;  // the message that is being sent included
  grpc::ByteBuffer sending_;
  bool is_sending_ = false;
  bool over_ = false;                     // nothing more is to be sent
  bool ends_when_sent_ = false;           // nobody works on it any more
  std::optional<grpc::Status> why_over_;  // where we say so
  std::optional<Clock::time_point> unread_since_;
};

// For gRPC: a call that streams, and one of a single message.
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
