// Questions about users, answered and not stored: SelfSubjectAccessReview, SelfSubjectRulesReview,
// SelfSubjectReview, SubjectAccessReview, LocalSubjectAccessReview and TokenReview (what
// `kubectl auth can-i` and `whoami` ask). Whoever is in the group system:masters may do everything,
// nobody else anything: roles are stored, not enforced.
#pragma once

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

Task<void> review_access(Request& request);

}  // namespace hearth::apiserver
