#include "manifest/yaml_documents.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace sluice {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

}  // namespace

YamlDocuments::YamlDocuments(std::istream& in) : in_(in), buffer_(kBufferBytes) {}

bool YamlDocuments::Next() {
  do setg(nullptr, nullptr, nullptr);
  while (underflow() != traits_type::eof());
  if (Fill(1) == 0) return false;
  at_document_start_ = true;
  first_line_ = line_;
  return true;
}

// Hands out lines up to the next marker, as far as they are in the buffer; a longer line in parts.
YamlDocuments::int_type YamlDocuments::underflow() {
  if (gptr() != egptr()) return traits_type::to_int_type(*gptr());
  if (first_line_ == 0 || Fill(4) == 0) return traits_type::eof();
  if (at_line_start_ && !at_document_start_ && AtMarker()) return traits_type::eof();
  char* const first = buffer_.data() + begin_;
  do {
    const char* at = buffer_.data() + begin_;
    const void* newline = std::memchr(at, '\n', end_ - begin_);
    at_line_start_ = newline != nullptr;
    if (at_line_start_) ++line_;
    begin_ += at_line_start_ ? static_cast<const char*>(newline) - at + 1 : end_ - begin_;
  } while (at_line_start_ && end_ - begin_ >= 4 && !AtMarker());
  at_document_start_ = false;
  setg(first, first, buffer_.data() + begin_);
  return traits_type::to_int_type(*first);
}

std::size_t YamlDocuments::Fill(std::size_t wanted) {
  if (end_ - begin_ >= wanted) return end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < wanted && in_.good()) {
    in_.read(buffer_.data() + end_, static_cast<std::streamsize>(buffer_.size() - end_));
    end_ += static_cast<std::size_t>(in_.gcount());
  }
  return end_;
}

bool YamlDocuments::AtMarker() const {
  const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  if (!unread.starts_with("---")) return false;
  return unread.size() == 3 || std::string_view(" \t\r\n").find(unread[3]) != std::string_view::npos;
}

}  // namespace sluice
