// A stream of YAML cut at its document markers: `---` at the start of a line, which YAML allows nowhere within a
// document. So each document gets a parser of its own, and what is wrong with one cannot spoil the next.
#ifndef SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_
#define SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <istream>
#include <streambuf>
#include <vector>

namespace sluice {

// Reads as the current document, its marker included, and ends where the next one begins. Holds one block at a time.
class YamlDocuments : public std::streambuf {
 public:
  explicit YamlDocuments(std::istream& in);

  // Goes to the next document, over what is left of this one. False: there is none. To be called before the first.
  bool Next();
  // 1-based, in the whole stream.
  std::uint32_t first_line() const { return first_line_; }

 protected:
  int_type underflow() override;

 private:
  // Makes at least `wanted` unread bytes available, or all that are left.
  std::size_t Fill(std::size_t wanted);
  // Requires 4 unread bytes, or all that are left.
  bool AtMarker() const;

  std::istream& in_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // unread bytes: buffer_[begin_, end_)
  std::size_t end_ = 0;
  bool at_line_start_ = true;
  bool at_document_start_ = true;
  std::uint32_t line_ = 1;  // of begin_
  std::uint32_t first_line_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_
