#include "table/learnt_names.h"

#include <random>
#include <utility>

namespace sluice {
namespace {

std::uint64_t RandomSeed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

// Folds both halves of a product.
std::uint64_t Fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xbf58476d1ce4e5b9);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

LearntNames::LearntNames(GracePeriod* grace, std::size_t buckets)
    : grace_(grace), mask_(buckets - 1), seed_(RandomSeed()) {}

LearntNames::~LearntNames() {
  if (owned_ == nullptr) return;
  for (std::size_t bucket = 0; bucket <= mask_; ++bucket) {
    for (Node* node = owned_[bucket].load(std::memory_order_relaxed); node != nullptr;) {
      const std::unique_ptr<Node> gone(node);
      node = gone->next.load(std::memory_order_relaxed);
    }
  }
}

std::uint64_t LearntNames::HashOf(const IpAddress& address) const {
  return Fold(seed_ ^ address.hi, address.lo + static_cast<std::uint64_t>(address.family));
}

// Acquire: a node is complete before a reader can reach it.
const std::vector<LearntName>* LearntNames::FindIn(const Bucket& bucket, const IpAddress& address) {
  const Node* node = bucket.load(std::memory_order_acquire);
  for (; node != nullptr; node = node->next.load(std::memory_order_acquire)) {
    if (node->address == address) return &node->names;
  }
  return nullptr;
}

// A reader that is at the removed node still finds the rest of the chain: the node's `next`
// stays as it is, and what `next` points to is freed only after the reader is quiescent.
void LearntNames::Put(const IpAddress& address, std::vector<LearntName> names) {
  if (owned_ == nullptr) {
    if (names.empty()) return;
    owned_ = std::make_unique<Bucket[]>(mask_ + 1);
    buckets_.store(owned_.get(), std::memory_order_release);
  }
  Bucket* link = &owned_[HashOf(address) & mask_];
  Node* before = link->load(std::memory_order_relaxed);
  while (before != nullptr && before->address != address) {
    link = &before->next;
    before = link->load(std::memory_order_relaxed);
  }
  Node* after = before == nullptr ? nullptr : before->next.load(std::memory_order_relaxed);
  if (!names.empty()) {
    auto node = std::make_unique<Node>();
    node->address = address;
    node->names = std::move(names);
    node->next.store(after, std::memory_order_relaxed);
    after = node.release();
    ++size_;
  }
  if (before != nullptr || after != nullptr) link->store(after, std::memory_order_release);
  if (before != nullptr) {
    --size_;
    Retire(before);
  }
  Reclaim();
}

void LearntNames::Retire(Node* node) {
  std::unique_ptr<Node> gone(node);
  if (grace_ != nullptr) retired_.push_back({std::move(gone), grace_->Begin()});
}

void LearntNames::Reclaim() {
  while (!retired_.empty() && grace_->IsOver(retired_.front().token)) retired_.pop_front();
}

}  // namespace sluice
