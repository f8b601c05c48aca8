// The types that controllers of the house read and write.
#pragma once

#include "platform/resource/object.h"

namespace hearth::resource {

inline const Type kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline const Type kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline const Type kSecrets{"", "v1", "secrets", "Secret"};
inline const Type kServices{"", "v1", "services", "Service"};
inline const Type kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline const Type kPods{"", "v1", "pods", "Pod"};
inline const Type kEvents{"", "v1", "events", "Event"};
inline const Type kNodes{"", "v1", "nodes", "Node", false};
inline const Type kJobs{"batch", "v1", "jobs", "Job"};
inline const Type kCustomResourceDefinitions{
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false};
inline const Type kFunctions{"lambda.knative.io", "v1alpha1", "lambdafunctions", "LambdaFunction"};
inline const Type kAgents{"lambda.knative.io", "v1alpha1", "lambdaagents", "LambdaAgent"};
inline const Type kKnativeServices{"serving.knative.dev", "v1", "services", "Service"};
inline const Type kConfigurations{"serving.knative.dev", "v1", "configurations", "Configuration"};
inline const Type kRevisions{"serving.knative.dev", "v1", "revisions", "Revision"};
inline const Type kRoutes{"serving.knative.dev", "v1", "routes", "Route"};
inline const Type kBrokers{"eventing.knative.dev", "v1", "brokers", "Broker"};
inline const Type kTriggers{"eventing.knative.dev", "v1", "triggers", "Trigger"};
inline const Type kPingSources{"sources.knative.dev", "v1", "pingsources", "PingSource"};
inline const Type kCronJobSources{"sources.knative.dev", "v1", "cronjobsources", "CronJobSource"};

// By which a Job finds its Pods, and people do.
inline constexpr const char* kControllerUidLabel = "batch.kubernetes.io/controller-uid";
inline constexpr const char* kJobNameLabel = "batch.kubernetes.io/job-name";

}  // namespace hearth::resource
