// YAML by yaml-cpp's events: if a document is a List, no tree of the whole document is ever built.
#ifndef SLUICE_CONTROL_MANIFEST_YAML_READER_H_
#define SLUICE_CONTROL_MANIFEST_YAML_READER_H_

#include "manifest/tree_sink.h"
#include "manifest/yaml_documents.h"

namespace sluice {

// Reads all documents, in bounded memory; never throws.
void ReadYamlDocuments(YamlDocuments& documents, TreeSink& sink);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_READER_H_
