// Trigger filters, compiled once and asked for every event: the legacy attributes and the dialects
// exact, prefix, suffix, all, any and not.
//
// Three-valued as upstream: pass, fail, or no filter (which delivers at the top level and stays "no
// filter" under not). Immutable after compile().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/event/cloud_event.h"

namespace hearth::event {

// What a filter says of one event, and why: for people who ask why nothing arrived.
struct Verdict {
  bool passes = true;
  std::string clause;  // "exact type", "all", "no filter"
  std::string reason;  // "want \"a\", saw \"b\""
  std::vector<Verdict> parts;
};

Json to_json(const Verdict& verdict);

struct FilterOptions {
  // Not empty: a filter that wants the subject "name" takes "{this}/name" too. Emitted events name
  // a function "ns/name", old senders "name".
  std::string subject_namespace;
};

class Filter {
 public:
  // Passes every event.
  Filter();

  // From a Trigger's spec: `filters` when it has entries, else `filter.attributes`. kInvalid with
  // the field, also for more than a thousand filters and attributes; kUnsupported for CloudEvents
  // SQL.
  static Result<Filter> compile(const Json& trigger_spec, const FilterOptions& options);

  bool matches(const CloudEvent& event) const;
  Verdict explain(const CloudEvent& event) const;

  struct Node;

 private:
  explicit Filter(std::shared_ptr<const Node> root);
  std::shared_ptr<const Node> root_;
};

}  // namespace hearth::event
