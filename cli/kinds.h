// The kinds that the daemon serves, by every name a person may use for them (plural, singular,
// short, kind, with or without the group), from the API's discovery documents.
#pragma once

#include <string>
#include <vector>

#include "cli/api_client.h"
#include "platform/resource/object.h"

namespace hearth::cli {

struct Kind {
  resource::Type type;
  std::string singular;
  std::vector<std::string> short_names;

  // "lambdafunction.lambda.knative.io", "configmap": how kubectl names objects of the kind.
  std::string qualified_singular() const;
};

class Kinds {
 public:
  static Result<Kinds> load(ApiClient& api);
  // What one of the discovery documents (of /api and /apis) lists.
  Status add_groups(const Json& document);

  // kNotFound with the nearest name.
  Result<Kind> find(const std::string& word) const;
  // What completion offers: "functions", then the plurals.
  std::vector<std::string> plurals() const;
  // For a manifest.
  Result<Kind> of(const std::string& api_version, const std::string& kind) const;

 private:
  std::vector<std::string> all_names() const;

  std::vector<Kind> kinds_;  // core first: it wins where names are the same, as with kubectl
};

// When `error` is kNotFound: adds the nearest name among the objects of the kind.
Error with_near_miss(Error error, ApiClient& api, const Kind& kind, const std::string& ns,
                     const std::string& name);

}  // namespace hearth::cli
