// The messages of meta/v1 that objects and requests contain.
#pragma once

#include "emulator/apiserver/protobuf_schema.h"

namespace hearth::apiserver::protobuf {

inline constexpr Field kOwnerReference[] = {
    kept(1, "kind", kString),     kept(3, "name", kString),
    kept(4, "uid", kString),      kept(5, "apiVersion", kString),
    kept(6, "controller", kBool), kept(7, "blockOwnerDeletion", kBool)};
inline constexpr Field kManagedFieldsEntry[] = {
    field(1, "manager", kString),    field(2, "operation", kString),
    field(3, "apiVersion", kString), kept(4, "time", kTime),
    field(6, "fieldsType", kString), kept(7, "fieldsV1", kRawJson),
    field(8, "subresource", kString)};
inline constexpr Field kObjectMeta[] = {field(1, "name", kString),
                                        field(2, "generateName", kString),
                                        field(3, "namespace", kString),
                                        field(4, "selfLink", kString),
                                        field(5, "uid", kString),
                                        field(6, "resourceVersion", kString),
                                        field(7, "generation", kInt),
                                        field(8, "creationTimestamp", kTime),
                                        kept(9, "deletionTimestamp", kTime),
                                        kept(10, "deletionGracePeriodSeconds", kInt),
                                        map(11, "labels", kString),
                                        map(12, "annotations", kString),
                                        list(13, "ownerReferences", kOwnerReference),
                                        list(14, "finalizers", kString),
                                        list(17, "managedFields", kManagedFieldsEntry)};
inline constexpr Field kLabelSelectorRequirement[] = {
    kept(1, "key", kString), kept(2, "operator", kString), list(3, "values", kString)};
inline constexpr Field kLabelSelector[] = {map(1, "matchLabels", kString),
                                           list(2, "matchExpressions", kLabelSelectorRequirement)};
inline constexpr Field kCondition[] = {kept(1, "type", kString),
                                       kept(2, "status", kString),
                                       field(3, "observedGeneration", kInt),
                                       kept(4, "lastTransitionTime", kTime),
                                       kept(5, "reason", kString),
                                       kept(6, "message", kString)};
inline constexpr Field kPreconditions[] = {kept(1, "uid", kString),
                                           kept(2, "resourceVersion", kString)};
inline constexpr Field kDeleteOptions[] = {
    kept(1, "gracePeriodSeconds", kInt), kept(2, "preconditions", kPreconditions),
    kept(3, "orphanDependents", kBool), kept(4, "propagationPolicy", kString),
    list(5, "dryRun", kString)};

}  // namespace hearth::apiserver::protobuf
