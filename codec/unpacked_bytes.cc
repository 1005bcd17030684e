#include "codec/unpacked_bytes.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <unordered_map>

namespace sluice {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr std::size_t kAllocated = 16;    // beside each allocation
constexpr std::size_t kPointer = 16;      // in a list that doubles as it grows
constexpr std::size_t kString = 32;       // the object itself
constexpr std::size_t kNumberBytes = 16;  // 8 bytes, in a list that doubles
constexpr std::size_t kPackedNumber = 8;  // 4 bytes, in a list that doubles; all packed numbers here
constexpr std::size_t kUnknown = 48;      // a field that this version does not know, in a list that doubles

class Counter {
 public:
  explicit Counter(std::size_t most) : most_(most) {}

  std::size_t bytes() const { return bytes_; }

  // False: the stream cannot be read further, or the limit is passed.
  bool Count(const Message& prototype, CodedInputStream& in) {
    bytes_ += ObjectBytes(prototype) + kAllocated;
    while (bytes_ <= most_) {
      const std::uint32_t tag = in.ReadTag();
      if (tag == 0) return in.ConsumedEntireMessage();
      const FieldDescriptor* field =
          prototype.GetDescriptor()->FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
      if (!CountField(field, WireFormatLite::GetTagWireType(tag), in)) return false;
    }
    return false;
  }

 private:
  std::size_t ObjectBytes(const Message& prototype) {
    const auto [known, added] = object_bytes_.try_emplace(prototype.GetDescriptor());
    if (added) known->second = prototype.SpaceUsedLong();
    return known->second;
  }

  bool CountField(const FieldDescriptor* field, WireFormatLite::WireType type, CodedInputStream& in) {
    std::uint32_t fixed32 = 0;
    std::uint64_t fixed64 = 0;
    switch (type) {
      case WireFormatLite::WIRETYPE_VARINT:
        bytes_ += field == nullptr ? kUnknown : field->is_repeated() ? kNumberBytes : 0;
        return in.ReadVarint64(&fixed64);
      case WireFormatLite::WIRETYPE_FIXED64:
        bytes_ += field == nullptr ? kUnknown : field->is_repeated() ? kNumberBytes : 0;
        return in.ReadLittleEndian64(&fixed64);
      case WireFormatLite::WIRETYPE_FIXED32:
        bytes_ += field == nullptr ? kUnknown : field->is_repeated() ? kNumberBytes : 0;
        return in.ReadLittleEndian32(&fixed32);
      case WireFormatLite::WIRETYPE_START_GROUP:  // an unknown field; its contents count as fields of this message
        bytes_ += kUnknown + kAllocated + kUnknown;
        return true;
      case WireFormatLite::WIRETYPE_END_GROUP:
        return true;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        break;
      default:
        return false;
    }
    int length = 0;
    if (!in.ReadVarintSizeAsInt(&length)) return false;
    const auto size = static_cast<std::size_t>(length);
    if (field != nullptr && field->is_repeated()) bytes_ += kPointer;
    if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const auto limit = in.PushLimit(length);
      if (!Count(*MessageFactory::generated_factory()->GetPrototype(field->message_type()), in)) return false;
      in.PopLimit(limit);
      return true;
    }
    if (field != nullptr && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      bytes_ += size * kPackedNumber;  // each number takes at least one byte
    } else {
      bytes_ += (field == nullptr ? kUnknown : 0) + kString + kAllocated + size + (size > 15 ? kAllocated : 0);
    }
    return in.Skip(length);
  }

  const std::size_t most_;
  std::size_t bytes_ = 0;
  std::unordered_map<const Descriptor*, std::size_t> object_bytes_;
};

}  // namespace

std::size_t UnpackedBytes(const Message& prototype, google::protobuf::io::ZeroCopyInputStream& bytes,
                          std::size_t most) {
  CodedInputStream in(&bytes);
  Counter counter(most);
  counter.Count(prototype, in);
  return counter.bytes();
}

}  // namespace sluice
