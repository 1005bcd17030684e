#include "resolve/selections.h"

#include <algorithm>
#include <utility>

#include "model/selector_text.h"
#include "resolve/selection_text.h"

namespace sluice {
namespace {

const LabelSelector kEverything;

void SortUnique(std::vector<CidrBlock>* blocks) {
  if (!std::is_sorted(blocks->begin(), blocks->end())) std::sort(blocks->begin(), blocks->end());
  blocks->erase(std::unique(blocks->begin(), blocks->end()), blocks->end());
}

CidrBlock ToBlock(const IpBlock& source) {
  CidrBlock block{source.cidr, source.excepts};
  std::sort(block.excepts.begin(), block.excepts.end());
  block.excepts.erase(std::unique(block.excepts.begin(), block.excepts.end()), block.excepts.end());
  return block;
}

}  // namespace

Selections::Selections(ClusterState* state) : state_(*state) {
  auto everyone = std::make_shared<Selection>();
  everyone->kind = Selection::Kind::kEveryone;
  everyone->text = "every address";
  everyone_ = std::move(everyone);
}

std::shared_ptr<Scope> Selections::ScopeByName(const std::string& name) {
  const auto known = scopes_by_name_.find(name);
  if (known != scopes_by_name_.end()) return known->second.lock();
  std::shared_ptr<Scope> scope(new Scope, [this](Scope* gone) { Drop(gone); });
  scope->text = name;
  scope->by_name = true;
  scopes_by_name_.emplace(scope->text, scope);
  return scope;
}

std::shared_ptr<Scope> Selections::ScopeBySelector(const LabelSelector& selector) {
  std::string text = SelectorText(selector);
  const auto known = scopes_by_selector_.find(text);
  if (known != scopes_by_selector_.end()) return known->second.lock();
  std::shared_ptr<Scope> scope(new Scope, [this](Scope* gone) { Drop(gone); });
  scope->text = std::move(text);
  scope->selector = state_.namespace_labels().Index(selector);
  scopes_by_selector_.emplace(scope->text, scope);
  scope_index_.Add(scope.get());
  return scope;
}

void Selections::Drop(Scope* scope) {
  const std::unique_ptr<Scope> owner(scope);
  if (closed_) return;
  scope_pods_.erase(scope);
  if (scope->by_name) {
    scopes_by_name_.erase(scope->text);
  } else {
    scopes_by_selector_.erase(scope->text);
    scope_index_.Remove(scope);
    state_.namespace_labels().Release(scope->selector);
  }
}

void Selections::Drop(Selection* selection) {
  const std::unique_ptr<Selection> owner(selection);
  if (closed_) return;
  selections_.erase(selection->text);
  for (const SelectionPtr& term : selection->terms) {
    *std::find(term->unions.begin(), term->unions.end(), selection) = term->unions.back();
    term->unions.pop_back();
  }
  if (selection->kind == Selection::Kind::kSelector) {
    selection->scope->selections.Remove(selection);
    state_.pod_labels().Release(selection->selector);
  }
}

SelectionPtr Selections::InScope(std::shared_ptr<Scope> scope, std::string text, const LabelSelector& selector) {
  const auto known = selections_.find(text);
  if (known != selections_.end()) return known->second->shared_from_this();
  std::shared_ptr<Selection> selection(new Selection, [this](Selection* gone) { Drop(gone); });
  selection->text = std::move(text);
  selection->selector = state_.pod_labels().Index(selector);
  scope->selections.Add(selection.get());
  selection->scope = std::move(scope);
  selections_.emplace(selection->text, selection.get());
  return selection;
}

SelectionPtr Selections::Pods(const std::string& namespace_name, const LabelSelector& selector) {
  return InScope(ScopeByName(namespace_name), PodsText(namespace_name, selector), selector);
}

SelectionPtr Selections::Pods(const LabelSelector& namespaces, const LabelSelector& pods) {
  return InScope(ScopeBySelector(namespaces), PodsText(namespaces, pods), pods);
}

SelectionPtr Selections::Peers(const std::string& namespace_name, const std::vector<NetworkPolicyPeer>& peers) {
  if (peers.empty()) return everyone_;
  std::vector<SelectionPtr> terms;
  std::vector<CidrBlock> blocks;
  for (const NetworkPolicyPeer& peer : peers) {
    if (peer.ip_block) {
      blocks.push_back(ToBlock(*peer.ip_block));
    } else if (peer.namespace_selector) {
      terms.push_back(Pods(*peer.namespace_selector, peer.pod_selector ? *peer.pod_selector : kEverything));
    } else if (peer.pod_selector) {
      terms.push_back(Pods(namespace_name, *peer.pod_selector));
    }
  }
  return Union(std::move(terms), std::move(blocks));
}

SelectionPtr Selections::Union(std::vector<SelectionPtr> terms, std::vector<CidrBlock> blocks) {
  SortUnique(&blocks);
  std::sort(terms.begin(), terms.end(), [](const SelectionPtr& a, const SelectionPtr& b) { return a->text < b->text; });
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
  if (terms.size() == 1 && blocks.empty()) return terms.front();

  std::string text;
  for (const SelectionPtr& term : terms) {
    if (!text.empty()) text += " or ";
    text += term->text;
  }
  if (!blocks.empty()) {
    if (!text.empty()) text += " or ";
    text += BlocksText(blocks);
  }
  if (text.empty()) text = "nobody";
  const auto known = selections_.find(text);
  if (known != selections_.end()) return known->second->shared_from_this();
  std::shared_ptr<Selection> whole(new Selection, [this](Selection* gone) { Drop(gone); });
  whole->kind = Selection::Kind::kUnion;
  whole->text = std::move(text);
  whole->terms = std::move(terms);
  whole->blocks = std::move(blocks);
  for (const SelectionPtr& term : whole->terms) term->unions.push_back(whole.get());
  selections_.emplace(whole->text, whole.get());
  return whole;
}

// Kept until ForgetPods: most selectors of a policy look into few scopes, and the union over the namespaces of a scope
// is the costly part. For a scope of all namespaces, or of one by name, the state has the set anyway.
const PodSet& Selections::PodsOf(const Scope& scope) {
  if (scope.by_name) {
    static const PodSet kNobody;
    const std::uint32_t space = state_.FindNamespace(scope.text);
    return space == ClusterState::kNone ? kNobody : state_.space(space).endpoints;
  }
  if (scope.selector.requirements.empty()) return state_.endpoints();
  const auto [known, added] = scope_pods_.try_emplace(&scope);
  if (added) {
    PodSet spaces = state_.all_namespaces();
    state_.namespace_labels().Restrict(scope.selector, &spaces);
    std::vector<const PodSet*> sets;
    for (const std::uint32_t space : ToVector(spaces)) sets.push_back(&state_.space(space).endpoints);
    if (!sets.empty()) known->second = PodSet::fastunion(sets.size(), sets.data());
  }
  return known->second;
}

const PodSet* Selections::StoredPodsOf(const Selection& selection) {
  switch (selection.kind) {
    case Selection::Kind::kEveryone:
      return &state_.endpoints();
    case Selection::Kind::kListed:
      return &selection.pods;
    case Selection::Kind::kSelector:
      return selection.selector.requirements.empty() ? &PodsOf(*selection.scope) : nullptr;
    case Selection::Kind::kUnion:
      break;
  }
  return nullptr;
}

PodSet Selections::PodsOf(const Selection& selection) {
  if (const PodSet* stored = StoredPodsOf(selection)) return *stored;
  PodSet pods;
  if (selection.kind == Selection::Kind::kSelector) {
    pods = PodsOf(*selection.scope);
    state_.pod_labels().Restrict(selection.selector, &pods);
    return pods;
  }
  for (const SelectionPtr& term : selection.terms) pods |= PodsOf(*term);
  return pods;
}

std::vector<const Scope*> Selections::ScopesOf(const LabelIds& labels) const {
  std::vector<const Scope*> scopes;
  scope_index_.ForEachSelecting(state_.namespace_labels(), labels,
                                [&](const Scope* scope) { scopes.push_back(scope); });
  return scopes;
}

}  // namespace sluice
