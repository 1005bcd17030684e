// Between messages and the bytes that gRPC carries, where we and not gRPC decide whether bytes are worth unpacking.
// Pure; any thread.
#ifndef SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_
#define SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

namespace sluice {

// Fills `message`, unless the bytes are none of its kind, or are so many that it would take more memory than it may
// (codec/limits.h).
grpc::Status Unpack(const grpc::ByteBuffer& bytes, google::protobuf::Message* message);

grpc::ByteBuffer Pack(const google::protobuf::Message& message);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_
