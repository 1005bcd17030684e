#include "model/selector_text.h"

#include <algorithm>
#include <vector>

namespace sluice {
namespace {

void AppendValues(const std::vector<std::string>& values, std::string* text) {
  *text += '(';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *text += ',';
    *text += values[i];
  }
  *text += ')';
}

void AppendRequirement(const LabelRequirement& requirement, std::string* text) {
  const bool single = requirement.values.size() == 1;
  switch (requirement.op) {
    case LabelRequirement::Operator::kExists:
      *text += requirement.key;
      return;
    case LabelRequirement::Operator::kDoesNotExist:
      *text += '!';
      *text += requirement.key;
      return;
    case LabelRequirement::Operator::kIn:
      *text += requirement.key;
      *text += single ? "=" : " in ";
      break;
    case LabelRequirement::Operator::kNotIn:
      *text += requirement.key;
      *text += single ? "!=" : " notin ";
      break;
  }
  if (single) {
    *text += requirement.values.front();
  } else {
    AppendValues(requirement.values, text);
  }
}

}  // namespace

std::string SelectorText(const LabelSelector& selector) {
  if (selector.requirements.empty()) return {};
  std::vector<std::string> texts(selector.requirements.size());
  for (std::size_t i = 0; i < texts.size(); ++i) AppendRequirement(selector.requirements[i], &texts[i]);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ',';
    joined += text;
  }
  return joined;
}

}  // namespace sluice
