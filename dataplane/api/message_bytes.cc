#include "api/message_bytes.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <string>

#include "codec/limits.h"
#include "codec/unpacked_bytes.h"

namespace sluice {
namespace {

// Whatever its content is, a message of so few bytes takes less than kMaxUnpackedBytes.
constexpr std::size_t kHarmlessBytes = std::size_t{1} << 20;

}  // namespace

grpc::Status Unpack(const grpc::ByteBuffer& bytes, google::protobuf::Message* message) {
  grpc::ByteBuffer shared = bytes;  // a copy: the reader needs one that it may change
  if (bytes.Length() > kHarmlessBytes) {
    grpc::ProtoBufferReader reader(&shared);
    if (!reader.status().ok() || UnpackedBytes(*message, reader, kMaxUnpackedBytes) > kMaxUnpackedBytes) {
      return {grpc::StatusCode::RESOURCE_EXHAUSTED,
              "the message would take more than " + std::to_string(kMaxUnpackedBytes >> 20) + " MB of memory"};
    }
  }
  message->Clear();
  grpc::ProtoBufferReader reader(&shared);
  if (!reader.status().ok() || !message->ParseFromZeroCopyStream(&reader)) {
    message->Clear();
    return {grpc::StatusCode::INVALID_ARGUMENT, "the bytes are no " + message->GetTypeName()};
  }
  return grpc::Status::OK;
}

grpc::ByteBuffer Pack(const google::protobuf::Message& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  return {&slice, 1};
}

}  // namespace sluice
