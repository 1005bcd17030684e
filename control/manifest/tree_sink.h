// Who takes what readers of manifests find in a file: trees of objects, in the file's order.
#ifndef SLUICE_CONTROL_MANIFEST_TREE_SINK_H_
#define SLUICE_CONTROL_MANIFEST_TREE_SINK_H_

#include <cstdint>
#include <string>

#include "model/decode.h"
#include "model/value.h"

namespace sluice {

// Called by the thread that reads. A tree is the reader's, and as it is only until the call returns.
class TreeSink {
 public:
  virtual ~TreeSink() = default;

  // A whole document: an object, or a list that was read at once. Nothing if it is empty.
  virtual void Document(const ValueTree& tree) = 0;
  // An item of a list whose items are read one at a time, and what is around them once all are read.
  virtual void Item(const ValueTree& tree, const TypeMeta& item_type) = 0;
  virtual void ListEnd(const ValueTree& list) = 0;
  // A document, or the rest of one, that is no YAML or JSON.
  virtual void Broken(std::uint32_t line, std::string why) = 0;
  // Something that is wrong, and keeps nothing from being read.
  virtual void Mistaken(std::uint32_t line, std::string why) = 0;
  // Behind Broken: what was read of the object that the text breaks off in (ValueTree::partial).
  virtual void Partial(const ValueTree& tree, const TypeMeta& item_type) = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_TREE_SINK_H_
