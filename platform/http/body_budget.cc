#include "platform/http/body_budget.h"

#include <algorithm>
#include <utility>

namespace hearth::http {

BodyBudget::Room::Room(Room&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}

BodyBudget::Room& BodyBudget::Room::operator=(Room&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

BodyBudget::Room::~Room() {
  if (budget_ != nullptr) budget_->give_back(bytes_);
}

BodyBudget::BodyBudget(async::Loop& loop, std::size_t bytes_max, std::chrono::milliseconds patience)
    : bytes_max_(bytes_max), patience_(patience), changed_(loop) {}

Task<Result<BodyBudget::Room>> BodyBudget::take(std::size_t bytes) {
  bytes = std::min(bytes, bytes_max_);
  const auto until = std::chrono::steady_clock::now() + patience_;
  const std::uint64_t ticket = ++last_ticket_;
  waiting_.push_back(ticket);
  while (waiting_.front() != ticket || !fits(bytes)) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left.count() <= 0 || !co_await changed_.wait_for(left)) {
      leave(ticket);
      co_return fail(Code::kUnavailable, "too many large requests at once; try again");
    }
  }
  held_ += bytes;
  leave(ticket);
  co_return Room(*this, bytes);
}

void BodyBudget::give_back(std::size_t bytes) {
  held_ -= bytes;
  if (!waiting_.empty()) changed_.notify();
}

// The next one in the row may have been waiting for its turn only.
void BodyBudget::leave(std::uint64_t ticket) {
  std::erase(waiting_, ticket);
  if (!waiting_.empty()) changed_.notify();
}

}  // namespace hearth::http
