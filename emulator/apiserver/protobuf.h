// Request bodies of `Content-Type: application/vnd.kubernetes.protobuf`, as kubectl, Helm and
// controllers send them for built-in kinds, into the JSON that they would have sent instead.
// Answers are always JSON, which all these clients accept. Pure; any thread. Format: the envelope
// runtime.Unknown behind "k8s\0", and the tables of protobuf_schema.h.
#pragma once

#include <string_view>

#include "platform/base/json.h"

namespace hearth::apiserver {

// kBadRequest when the body is malformed or cut short, kUnsupported for a kind without a table.
// Every byte may be hostile: time and memory are in proportion to the body.
Result<Json> decode_kubernetes_protobuf(std::string_view body);

}  // namespace hearth::apiserver
