// Receives what readers find in a manifest file: trees of objects, in the file's order.
#ifndef SLUICE_CONTROL_MANIFEST_TREE_SINK_H_
#define SLUICE_CONTROL_MANIFEST_TREE_SINK_H_

#include <cstdint>
#include <string>

#include "model/decode.h"
#include "model/value.h"

namespace sluice {

// Called by the thread that reads. The tree belongs to the reader, and is valid only until the call returns.
class TreeSink {
 public:
  virtual ~TreeSink() = default;

  // A whole document: an object, or a list that was read at once. The tree is empty if the document is.
  virtual void Document(const ValueTree& tree) = 0;
  // An item of a list whose items are read one at a time. ListEnd gets the rest of the list after all items.
  virtual void Item(const ValueTree& tree, const TypeMeta& item_type) = 0;
  virtual void ListEnd(const ValueTree& list) = 0;
  // A document, or the rest of one, that is no YAML or JSON.
  virtual void Broken(std::uint32_t line, std::string why) = 0;
  // A mistake that keeps nothing from being read.
  virtual void Mistaken(std::uint32_t line, std::string why) = 0;
  // After Broken: what was read of the object in which the text breaks off (ValueTree::partial).
  virtual void Partial(const ValueTree& tree, const TypeMeta& item_type) = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_TREE_SINK_H_
