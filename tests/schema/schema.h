// Holds what sluicectl wrote to docs/sluicectl.schema.json.
#ifndef SLUICE_TESTS_SCHEMA_SCHEMA_H_
#define SLUICE_TESTS_SCHEMA_SCHEMA_H_

#include <string>

namespace sluice::test {

// What is wrong with `json`, one value or a value a line, as output `name`; empty: nothing.
std::string SchemaProblems(const std::string& name, const std::string& json);

}  // namespace sluice::test

#endif  // SLUICE_TESTS_SCHEMA_SCHEMA_H_
