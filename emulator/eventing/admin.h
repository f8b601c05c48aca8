// What people ask of the broker, as JSON under /hearth/v1/ (for `hearth event` and `hearth dlq`):
//
//   GET    events?namespace=&type=&source=&subject=&limit=   {"items": [event…]}, newest first
//   GET    events/{sequence or id}       event with attributes, data, deliveries and the verdicts
//   of
//                                        all triggers of its broker as they are now
//   GET    deadletters?namespace=&trigger=&limit=&after=     {"items": [dead letter…]}, oldest
//   first GET    deadletters/{id}              dead letter with its event POST
//   deadletters/{id}/replay       {"replayed": 1}; 409 when its trigger is gone POST
//   deadletters/replay?namespace=&trigger=            {"replayed": n, "skipped": n} DELETE
//   deadletters/{id}, deadletters?namespace=&trigger= {"purged": n}
//
// Errors: {"error": "not_found", "message": …}.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/eventing/catalog.h"
#include "emulator/eventing/deliverer.h"
#include "emulator/journal/journal.h"
#include "platform/http/exchange.h"

namespace hearth::eventing {

class Admin {
 public:
  Admin(journal::Journal& journal, const Catalog& catalog, Deliverer& deliverer)
      : journal_(journal), catalog_(catalog), deliverer_(deliverer) {}

  Task<void> handle(http::Exchange& exchange);

 private:
  struct Query;
  Task<Result<Json>> answer(std::string method, std::string path, Query query);
  Task<Result<Json>> answer_dead_letters(std::string method, std::string rest, Query query);
  Result<Json> list_events(const Query& query);
  Result<Json> show_event(const std::string& id);
  Result<Json> list_dead_letters(const Query& query);
  Result<Json> show_dead_letter(std::int64_t id);
  Task<Status> replay(journal::DeadLetter letter);
  Task<Result<Json>> replay_one(std::int64_t id);
  Task<Result<Json>> replay_all(Query query);

  journal::Journal& journal_;
  const Catalog& catalog_;
  Deliverer& deliverer_;
};

}  // namespace hearth::eventing
