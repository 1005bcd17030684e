// What a table says to a query, as text that tables of other numbers say too.
#ifndef SLUICE_TESTS_TABLE_ANSWERS_H_
#define SLUICE_TESTS_TABLE_ANSWERS_H_

#include <span>
#include <string>

#include "table/classify.h"

namespace sluice {

inline std::string Answer(Classifier& classifier, const Table& table, const ClassifyQuery& query) {
  Classification seen;
  classifier.Classify(table, std::span(&query, 1), &seen);
  const auto side = [&](const Decision& decision) {
    if (decision.rule == kNoRule) return std::string(decision.allow ? "allow" : "deny");
    const TableRule& rule = table.rule(decision.rule);
    return (decision.allow ? "allow " : "deny ") + rule.policy + '[' + std::to_string(rule.index) + ']';
  };
  return std::string(Name(seen.exemption)) + (seen.concerned ? " concerned" : "") +
         (seen.unknown_endpoint ? " unknown" : "") + " egress " + side(seen.egress) + " ingress " + side(seen.ingress);
}

inline std::string Answer(const Table& table, const ClassifyQuery& query) {
  Classifier classifier(16);
  return Answer(classifier, table, query);
}

}  // namespace sluice

#endif  // SLUICE_TESTS_TABLE_ANSWERS_H_
