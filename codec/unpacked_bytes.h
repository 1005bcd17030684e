// How much memory a message will take, computed from its bytes before it is parsed: an empty object is two bytes on the
// wire and a hundred in memory. Pure; any thread.
#ifndef SLUICE_CODEC_UNPACKED_BYTES_H_
#define SLUICE_CODEC_UNPACKED_BYTES_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message.h>

#include <cstddef>

namespace sluice {

// Returns an upper estimate of the memory that a message of `prototype`'s type takes once it is parsed from `bytes`.
// Stops counting beyond `most`. Bytes that are no such message count as far as they can be read.
std::size_t UnpackedBytes(const google::protobuf::Message& prototype, google::protobuf::io::ZeroCopyInputStream& bytes,
                          std::size_t most);

}  // namespace sluice

#endif  // SLUICE_CODEC_UNPACKED_BYTES_H_
