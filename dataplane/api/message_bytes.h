// Converts between messages and the bytes that gRPC carries. So we, not gRPC, decide whether bytes are worth unpacking.
// Pure; any thread.
#ifndef SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_
#define SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

namespace sluice {

// Fills `message`. Fails if the bytes are not a message of its type, or if they would take more memory than a message
// may take (codec/limits.h).
grpc::Status Unpack(const grpc::ByteBuffer& bytes, google::protobuf::Message* message);

grpc::ByteBuffer Pack(const google::protobuf::Message& message);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_MESSAGE_BYTES_H_
