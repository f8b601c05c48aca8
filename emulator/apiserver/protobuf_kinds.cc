#include <algorithm>

#include "emulator/apiserver/protobuf_pod.h"

namespace hearth::apiserver::protobuf {
namespace {

constexpr Field kNamespaceSpec[] = {list(1, "finalizers", kString)};
constexpr Field kNamespaceCondition[] = {kept(1, "type", kString), kept(2, "status", kString),
                                         field(4, "lastTransitionTime", kTime),
                                         field(5, "reason", kString), field(6, "message", kString)};
constexpr Field kNamespaceStatus[] = {field(1, "phase", kString),
                                      list(2, "conditions", kNamespaceCondition)};
constexpr Field kNamespace[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kNamespaceSpec),
                                field(3, "status", kNamespaceStatus)};
constexpr Field kConfigMap[] = {field(1, "metadata", kObjectMeta), map(2, "data", kString),
                                map(3, "binaryData", kBytes), kept(4, "immutable", kBool)};
constexpr Field kSecret[] = {field(1, "metadata", kObjectMeta), map(2, "data", kBytes),
                             field(3, "type", kString), map(4, "stringData", kString),
                             kept(5, "immutable", kBool)};
constexpr Field kServicePort[] = {field(1, "name", kString),  field(2, "protocol", kString),
                                  kept(3, "port", kInt),      field(4, "targetPort", kIntOrString),
                                  field(5, "nodePort", kInt), kept(6, "appProtocol", kString)};
constexpr Field kClientIPConfig[] = {kept(1, "timeoutSeconds", kInt)};
constexpr Field kSessionAffinityConfig[] = {kept(1, "clientIP", kClientIPConfig)};
constexpr Field kServiceSpec[] = {list(1, "ports", kServicePort),
                                  map(2, "selector", kString),
                                  field(3, "clusterIP", kString),
                                  field(4, "type", kString),
                                  list(5, "externalIPs", kString),
                                  field(7, "sessionAffinity", kString),
                                  field(8, "loadBalancerIP", kString),
                                  list(9, "loadBalancerSourceRanges", kString),
                                  field(10, "externalName", kString),
                                  field(11, "externalTrafficPolicy", kString),
                                  field(12, "healthCheckNodePort", kInt),
                                  field(13, "publishNotReadyAddresses", kBool),
                                  kept(14, "sessionAffinityConfig", kSessionAffinityConfig),
                                  kept(17, "ipFamilyPolicy", kString),
                                  list(18, "clusterIPs", kString),
                                  list(19, "ipFamilies", kString),
                                  kept(20, "allocateLoadBalancerNodePorts", kBool),
                                  kept(21, "loadBalancerClass", kString),
                                  kept(22, "internalTrafficPolicy", kString),
                                  kept(23, "trafficDistribution", kString)};
constexpr Field kPortStatus[] = {kept(1, "port", kInt), kept(2, "protocol", kString),
                                 kept(3, "error", kString)};
constexpr Field kLoadBalancerIngress[] = {field(1, "ip", kString), field(2, "hostname", kString),
                                          kept(3, "ipMode", kString),
                                          list(4, "ports", kPortStatus)};
constexpr Field kLoadBalancerStatus[] = {list(1, "ingress", kLoadBalancerIngress)};
constexpr Field kServiceStatus[] = {field(1, "loadBalancer", kLoadBalancerStatus),
                                    list(2, "conditions", kCondition)};
constexpr Field kService[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kServiceSpec),
                              field(3, "status", kServiceStatus)};
constexpr Field kObjectReference[] = {
    field(1, "kind", kString),       field(2, "namespace", kString),
    field(3, "name", kString),       field(4, "uid", kString),
    field(5, "apiVersion", kString), field(6, "resourceVersion", kString),
    field(7, "fieldPath", kString)};
constexpr Field kEndpointAddress[] = {kept(1, "ip", kString),
                                      kept(2, "targetRef", kObjectReference),
                                      field(3, "hostname", kString), kept(4, "nodeName", kString)};
constexpr Field kEndpointPort[] = {field(1, "name", kString), kept(2, "port", kInt),
                                   field(3, "protocol", kString), kept(4, "appProtocol", kString)};
constexpr Field kEndpointSubset[] = {list(1, "addresses", kEndpointAddress),
                                     list(2, "notReadyAddresses", kEndpointAddress),
                                     list(3, "ports", kEndpointPort)};
constexpr Field kEndpoints[] = {field(1, "metadata", kObjectMeta),
                                list(2, "subsets", kEndpointSubset)};
constexpr Field kPod[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kPodSpec),
                          field(3, "status", kPodStatus)};
constexpr Field kEventSource[] = {field(1, "component", kString), field(2, "host", kString)};
constexpr Field kEventSeries[] = {field(1, "count", kInt),
                                  field(2, "lastObservedTime", kMicroTime)};
constexpr Field kEvent[] = {kept(1, "metadata", kObjectMeta),
                            kept(2, "involvedObject", kObjectReference),
                            field(3, "reason", kString),
                            field(4, "message", kString),
                            field(5, "source", kEventSource),
                            field(6, "firstTimestamp", kTime),
                            field(7, "lastTimestamp", kTime),
                            field(8, "count", kInt),
                            field(9, "type", kString),
                            field(10, "eventTime", kMicroTime),
                            kept(11, "series", kEventSeries),
                            field(12, "action", kString),
                            kept(13, "related", kObjectReference),
                            kept(14, "reportingComponent", kString),
                            kept(15, "reportingInstance", kString)};
constexpr Field kTaint[] = {kept(1, "key", kString), field(2, "value", kString),
                            kept(3, "effect", kString), kept(4, "timeAdded", kTime)};
constexpr Field kNodeSpec[] = {field(1, "podCIDR", kString), field(3, "providerID", kString),
                               field(4, "unschedulable", kBool), list(5, "taints", kTaint),
                               list(7, "podCIDRs", kString)};
constexpr Field kNodeCondition[] = {kept(1, "type", kString),
                                    kept(2, "status", kString),
                                    field(3, "lastHeartbeatTime", kTime),
                                    field(4, "lastTransitionTime", kTime),
                                    field(5, "reason", kString),
                                    field(6, "message", kString)};
constexpr Field kNodeAddress[] = {kept(1, "type", kString), kept(2, "address", kString)};
constexpr Field kDaemonEndpoint[] = {kept(1, "Port", kInt)};
constexpr Field kNodeDaemonEndpoints[] = {field(1, "kubeletEndpoint", kDaemonEndpoint)};
constexpr Field kNodeSystemInfo[] = {
    kept(1, "machineID", kString),       kept(2, "systemUUID", kString),
    kept(3, "bootID", kString),          kept(4, "kernelVersion", kString),
    kept(5, "osImage", kString),         kept(6, "containerRuntimeVersion", kString),
    kept(7, "kubeletVersion", kString),  kept(8, "kubeProxyVersion", kString),
    kept(9, "operatingSystem", kString), kept(10, "architecture", kString)};
constexpr Field kContainerImage[] = {list(1, "names", kString), field(2, "sizeBytes", kInt)};
constexpr Field kAttachedVolume[] = {kept(1, "name", kString), kept(2, "devicePath", kString)};
constexpr Field kNodeStatus[] = {map(1, "capacity", kQuantity),
                                 map(2, "allocatable", kQuantity),
                                 field(3, "phase", kString),
                                 list(4, "conditions", kNodeCondition),
                                 list(5, "addresses", kNodeAddress),
                                 field(6, "daemonEndpoints", kNodeDaemonEndpoints),
                                 field(7, "nodeInfo", kNodeSystemInfo),
                                 list(8, "images", kContainerImage),
                                 list(9, "volumesInUse", kString),
                                 list(10, "volumesAttached", kAttachedVolume)};
constexpr Field kNode[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kNodeSpec),
                           field(3, "status", kNodeStatus)};
constexpr Field kServiceAccount[] = {field(1, "metadata", kObjectMeta),
                                     list(2, "secrets", kObjectReference),
                                     list(3, "imagePullSecrets", kLocalObjectReference),
                                     kept(4, "automountServiceAccountToken", kBool)};
constexpr Field kPersistentVolumeClaimCondition[] = {
    kept(1, "type", kString),         kept(2, "status", kString),
    field(3, "lastProbeTime", kTime), field(4, "lastTransitionTime", kTime),
    field(5, "reason", kString),      field(6, "message", kString)};
constexpr Field kModifyVolumeStatus[] = {field(1, "targetVolumeAttributesClassName", kString),
                                         kept(2, "status", kString)};
constexpr Field kVolumeHealthStatus[] = {list(1, "healthConditions", kVolumeHealthCondition),
                                         field(2, "lastTransitionTime", kTime)};
constexpr Field kPersistentVolumeClaimStatus[] = {
    field(1, "phase", kString),
    list(2, "accessModes", kString),
    map(3, "capacity", kQuantity),
    list(4, "conditions", kPersistentVolumeClaimCondition),
    map(5, "allocatedResources", kQuantity),
    map(7, "allocatedResourceStatuses", kString),
    kept(8, "currentVolumeAttributesClassName", kString),
    kept(9, "modifyVolumeStatus", kModifyVolumeStatus),
    kept(10, "healthStatus", kVolumeHealthStatus)};
constexpr Field kPersistentVolumeClaim[] = {field(1, "metadata", kObjectMeta),
                                            field(2, "spec", kPersistentVolumeClaimSpec),
                                            field(3, "status", kPersistentVolumeClaimStatus)};
constexpr Field kScopedResourceSelectorRequirement[] = {
    kept(1, "scopeName", kString), kept(2, "operator", kString), list(3, "values", kString)};
constexpr Field kScopeSelector[] = {
    list(1, "matchExpressions", kScopedResourceSelectorRequirement)};
constexpr Field kResourceQuotaSpec[] = {map(1, "hard", kQuantity), list(2, "scopes", kString),
                                        kept(3, "scopeSelector", kScopeSelector)};
constexpr Field kResourceQuotaStatus[] = {map(1, "hard", kQuantity), map(2, "used", kQuantity)};
constexpr Field kResourceQuota[] = {field(1, "metadata", kObjectMeta),
                                    field(2, "spec", kResourceQuotaSpec),
                                    field(3, "status", kResourceQuotaStatus)};
constexpr Field kLimitRangeItem[] = {kept(1, "type", kString),
                                     map(2, "max", kQuantity),
                                     map(3, "min", kQuantity),
                                     map(4, "default", kQuantity),
                                     map(5, "defaultRequest", kQuantity),
                                     map(6, "maxLimitRequestRatio", kQuantity)};
constexpr Field kLimitRangeSpec[] = {list(1, "limits", kLimitRangeItem)};
constexpr Field kLimitRange[] = {field(1, "metadata", kObjectMeta),
                                 field(2, "spec", kLimitRangeSpec)};
constexpr Field kRollingUpdateDeployment[] = {kept(1, "maxUnavailable", kIntOrString),
                                              kept(2, "maxSurge", kIntOrString)};
constexpr Field kDeploymentStrategy[] = {field(1, "type", kString),
                                         kept(2, "rollingUpdate", kRollingUpdateDeployment)};
constexpr Field kDeploymentSpec[] = {kept(1, "replicas", kInt),
                                     kept(2, "selector", kLabelSelector),
                                     kept(3, "template", kPodTemplateSpec),
                                     field(4, "strategy", kDeploymentStrategy),
                                     field(5, "minReadySeconds", kInt),
                                     kept(6, "revisionHistoryLimit", kInt),
                                     field(7, "paused", kBool),
                                     kept(9, "progressDeadlineSeconds", kInt)};
constexpr Field kDeploymentCondition[] = {
    kept(1, "type", kString),          kept(2, "status", kString),
    field(4, "reason", kString),       field(5, "message", kString),
    field(6, "lastUpdateTime", kTime), field(7, "lastTransitionTime", kTime)};
constexpr Field kDeploymentStatus[] = {
    field(1, "observedGeneration", kInt),  field(2, "replicas", kInt),
    field(3, "updatedReplicas", kInt),     field(4, "availableReplicas", kInt),
    field(5, "unavailableReplicas", kInt), list(6, "conditions", kDeploymentCondition),
    field(7, "readyReplicas", kInt),       kept(8, "collisionCount", kInt),
    kept(9, "terminatingReplicas", kInt)};
constexpr Field kDeployment[] = {field(1, "metadata", kObjectMeta),
                                 field(2, "spec", kDeploymentSpec),
                                 field(3, "status", kDeploymentStatus)};
constexpr Field kReplicaSetSpec[] = {kept(1, "replicas", kInt), kept(2, "selector", kLabelSelector),
                                     field(3, "template", kPodTemplateSpec),
                                     field(4, "minReadySeconds", kInt)};
constexpr Field kReplicaSetCondition[] = {
    kept(1, "type", kString), kept(2, "status", kString), field(3, "lastTransitionTime", kTime),
    field(4, "reason", kString), field(5, "message", kString)};
constexpr Field kReplicaSetStatus[] = {kept(1, "replicas", kInt),
                                       field(2, "fullyLabeledReplicas", kInt),
                                       field(3, "observedGeneration", kInt),
                                       field(4, "readyReplicas", kInt),
                                       field(5, "availableReplicas", kInt),
                                       list(6, "conditions", kReplicaSetCondition),
                                       kept(7, "terminatingReplicas", kInt)};
constexpr Field kReplicaSet[] = {field(1, "metadata", kObjectMeta),
                                 field(2, "spec", kReplicaSetSpec),
                                 field(3, "status", kReplicaSetStatus)};
constexpr Field kRollingUpdateStatefulSetStrategy[] = {kept(1, "partition", kInt),
                                                       kept(2, "maxUnavailable", kIntOrString)};
constexpr Field kStatefulSetUpdateStrategy[] = {
    field(1, "type", kString), kept(2, "rollingUpdate", kRollingUpdateStatefulSetStrategy)};
constexpr Field kStatefulSetClaimRetentionPolicy[] = {field(1, "whenDeleted", kString),
                                                      field(2, "whenScaled", kString)};
constexpr Field kStatefulSetOrdinals[] = {kept(1, "start", kInt)};
constexpr Field kStatefulSetSpec[] = {
    kept(1, "replicas", kInt),
    kept(2, "selector", kLabelSelector),
    kept(3, "template", kPodTemplateSpec),
    list(4, "volumeClaimTemplates", kPersistentVolumeClaim),
    kept(5, "serviceName", kString),
    field(6, "podManagementPolicy", kString),
    field(7, "updateStrategy", kStatefulSetUpdateStrategy),
    kept(8, "revisionHistoryLimit", kInt),
    field(9, "minReadySeconds", kInt),
    kept(10, "persistentVolumeClaimRetentionPolicy", kStatefulSetClaimRetentionPolicy),
    kept(11, "ordinals", kStatefulSetOrdinals)};
constexpr Field kStatefulSetCondition[] = {
    kept(1, "type", kString), kept(2, "status", kString), field(3, "lastTransitionTime", kTime),
    field(4, "reason", kString), field(5, "message", kString)};
constexpr Field kStatefulSetStatus[] = {field(1, "observedGeneration", kInt),
                                        kept(2, "replicas", kInt),
                                        field(3, "readyReplicas", kInt),
                                        field(4, "currentReplicas", kInt),
                                        field(5, "updatedReplicas", kInt),
                                        field(6, "currentRevision", kString),
                                        field(7, "updateRevision", kString),
                                        kept(9, "collisionCount", kInt),
                                        list(10, "conditions", kStatefulSetCondition),
                                        kept(11, "availableReplicas", kInt)};
constexpr Field kStatefulSet[] = {field(1, "metadata", kObjectMeta),
                                  field(2, "spec", kStatefulSetSpec),
                                  field(3, "status", kStatefulSetStatus)};
constexpr Field kRollingUpdateDaemonSet[] = {kept(1, "maxUnavailable", kIntOrString),
                                             kept(2, "maxSurge", kIntOrString)};
constexpr Field kDaemonSetUpdateStrategy[] = {field(1, "type", kString),
                                              kept(2, "rollingUpdate", kRollingUpdateDaemonSet)};
constexpr Field kDaemonSetSpec[] = {
    kept(1, "selector", kLabelSelector), kept(2, "template", kPodTemplateSpec),
    field(3, "updateStrategy", kDaemonSetUpdateStrategy), field(4, "minReadySeconds", kInt),
    kept(6, "revisionHistoryLimit", kInt)};
constexpr Field kDaemonSetCondition[] = {kept(1, "type", kString), kept(2, "status", kString),
                                         field(3, "lastTransitionTime", kTime),
                                         field(4, "reason", kString), field(5, "message", kString)};
constexpr Field kDaemonSetStatus[] = {
    kept(1, "currentNumberScheduled", kInt), kept(2, "numberMisscheduled", kInt),
    kept(3, "desiredNumberScheduled", kInt), kept(4, "numberReady", kInt),
    field(5, "observedGeneration", kInt),    field(6, "updatedNumberScheduled", kInt),
    field(7, "numberAvailable", kInt),       field(8, "numberUnavailable", kInt),
    kept(9, "collisionCount", kInt),         list(10, "conditions", kDaemonSetCondition)};
constexpr Field kDaemonSet[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kDaemonSetSpec),
                                field(3, "status", kDaemonSetStatus)};
constexpr Field kPodFailurePolicyOnExitCodesRequirement[] = {
    kept(1, "containerName", kString), kept(2, "operator", kString), list(3, "values", kInt)};
constexpr Field kPodFailurePolicyOnPodConditionsPattern[] = {kept(1, "type", kString),
                                                             kept(2, "status", kString)};
constexpr Field kPodFailurePolicyRule[] = {
    kept(1, "action", kString), kept(2, "onExitCodes", kPodFailurePolicyOnExitCodesRequirement),
    list(3, "onPodConditions", kPodFailurePolicyOnPodConditionsPattern)};
constexpr Field kPodFailurePolicy[] = {list(1, "rules", kPodFailurePolicyRule)};
constexpr Field kSuccessPolicyRule[] = {kept(1, "succeededIndexes", kString),
                                        kept(2, "succeededCount", kInt)};
constexpr Field kSuccessPolicy[] = {list(1, "rules", kSuccessPolicyRule)};
constexpr Field kJobSpec[] = {kept(1, "parallelism", kInt),
                              kept(2, "completions", kInt),
                              kept(3, "activeDeadlineSeconds", kInt),
                              kept(4, "selector", kLabelSelector),
                              kept(5, "manualSelector", kBool),
                              kept(6, "template", kPodTemplateSpec),
                              kept(7, "backoffLimit", kInt),
                              kept(8, "ttlSecondsAfterFinished", kInt),
                              kept(9, "completionMode", kString),
                              kept(10, "suspend", kBool),
                              kept(11, "podFailurePolicy", kPodFailurePolicy),
                              kept(12, "backoffLimitPerIndex", kInt),
                              kept(13, "maxFailedIndexes", kInt),
                              kept(14, "podReplacementPolicy", kString),
                              kept(15, "managedBy", kString),
                              kept(16, "successPolicy", kSuccessPolicy)};
constexpr Field kJobCondition[] = {
    kept(1, "type", kString),         kept(2, "status", kString),
    field(3, "lastProbeTime", kTime), field(4, "lastTransitionTime", kTime),
    field(5, "reason", kString),      field(6, "message", kString)};
constexpr Field kUncountedTerminatedPods[] = {list(1, "succeeded", kString),
                                              list(2, "failed", kString)};
constexpr Field kJobStatus[] = {list(1, "conditions", kJobCondition),
                                kept(2, "startTime", kTime),
                                kept(3, "completionTime", kTime),
                                field(4, "active", kInt),
                                field(5, "succeeded", kInt),
                                field(6, "failed", kInt),
                                field(7, "completedIndexes", kString),
                                kept(8, "uncountedTerminatedPods", kUncountedTerminatedPods),
                                kept(9, "ready", kInt),
                                kept(10, "failedIndexes", kString),
                                kept(11, "terminating", kInt)};
constexpr Field kJob[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kJobSpec),
                          field(3, "status", kJobStatus)};
constexpr Field kJobTemplateSpec[] = {field(1, "metadata", kObjectMeta),
                                      field(2, "spec", kJobSpec)};
constexpr Field kCronJobSpec[] = {kept(1, "schedule", kString),
                                  kept(2, "startingDeadlineSeconds", kInt),
                                  field(3, "concurrencyPolicy", kString),
                                  kept(4, "suspend", kBool),
                                  kept(5, "jobTemplate", kJobTemplateSpec),
                                  kept(6, "successfulJobsHistoryLimit", kInt),
                                  kept(7, "failedJobsHistoryLimit", kInt),
                                  kept(8, "timeZone", kString)};
constexpr Field kCronJobStatus[] = {list(1, "active", kObjectReference),
                                    kept(4, "lastScheduleTime", kTime),
                                    kept(5, "lastSuccessfulTime", kTime)};
constexpr Field kCronJob[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kCronJobSpec),
                              field(3, "status", kCronJobStatus)};
constexpr Field kLeaseSpec[] = {
    kept(1, "holderIdentity", kString), kept(2, "leaseDurationSeconds", kInt),
    kept(3, "acquireTime", kMicroTime), kept(4, "renewTime", kMicroTime),
    kept(5, "leaseTransitions", kInt),  kept(6, "strategy", kString),
    kept(7, "preferredHolder", kString)};
constexpr Field kLease[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kLeaseSpec)};
constexpr Field kEventsEventSeries[] = {kept(1, "count", kInt),
                                        kept(2, "lastObservedTime", kMicroTime)};
constexpr Field kEventsEvent[] = {kept(1, "metadata", kObjectMeta),
                                  kept(2, "eventTime", kMicroTime),
                                  kept(3, "series", kEventsEventSeries),
                                  field(4, "reportingController", kString),
                                  field(5, "reportingInstance", kString),
                                  field(6, "action", kString),
                                  field(7, "reason", kString),
                                  field(8, "regarding", kObjectReference),
                                  kept(9, "related", kObjectReference),
                                  field(10, "note", kString),
                                  field(11, "type", kString),
                                  field(12, "deprecatedSource", kEventSource),
                                  field(13, "deprecatedFirstTimestamp", kTime),
                                  field(14, "deprecatedLastTimestamp", kTime),
                                  field(15, "deprecatedCount", kInt)};
constexpr Field kNetworkPolicyPort[] = {kept(1, "protocol", kString), kept(2, "port", kIntOrString),
                                        kept(3, "endPort", kInt)};
constexpr Field kIPBlock[] = {kept(1, "cidr", kString), list(2, "except", kString)};
constexpr Field kNetworkPolicyPeer[] = {kept(1, "podSelector", kLabelSelector),
                                        kept(2, "namespaceSelector", kLabelSelector),
                                        kept(3, "ipBlock", kIPBlock)};
constexpr Field kNetworkPolicyIngressRule[] = {list(1, "ports", kNetworkPolicyPort),
                                               list(2, "from", kNetworkPolicyPeer)};
constexpr Field kNetworkPolicyEgressRule[] = {list(1, "ports", kNetworkPolicyPort),
                                              list(2, "to", kNetworkPolicyPeer)};
constexpr Field kNetworkPolicySpec[] = {
    kept(1, "podSelector", kLabelSelector), list(2, "ingress", kNetworkPolicyIngressRule),
    list(3, "egress", kNetworkPolicyEgressRule), list(4, "policyTypes", kString)};
constexpr Field kNetworkPolicy[] = {field(1, "metadata", kObjectMeta),
                                    field(2, "spec", kNetworkPolicySpec)};
constexpr Field kServiceBackendPort[] = {field(1, "name", kString), field(2, "number", kInt)};
constexpr Field kIngressServiceBackend[] = {kept(1, "name", kString),
                                            field(2, "port", kServiceBackendPort)};
constexpr Field kIngressBackend[] = {kept(3, "resource", kTypedLocalObjectReference),
                                     kept(4, "service", kIngressServiceBackend)};
constexpr Field kIngressTLS[] = {list(1, "hosts", kString), field(2, "secretName", kString)};
constexpr Field kHTTPIngressPath[] = {
    field(1, "path", kString), kept(2, "backend", kIngressBackend), kept(3, "pathType", kString)};
constexpr Field kHTTPIngressRuleValue[] = {list(1, "paths", kHTTPIngressPath)};
constexpr Field kIngressRuleValue[] = {kept(1, "http", kHTTPIngressRuleValue)};
constexpr Field kIngressRule[] = {field(1, "host", kString), inlined(2, kIngressRuleValue)};
constexpr Field kIngressSpec[] = {kept(1, "defaultBackend", kIngressBackend),
                                  list(2, "tls", kIngressTLS), list(3, "rules", kIngressRule),
                                  kept(4, "ingressClassName", kString)};
constexpr Field kIngressPortStatus[] = {kept(1, "port", kInt), kept(2, "protocol", kString),
                                        kept(3, "error", kString)};
constexpr Field kIngressLoadBalancerIngress[] = {
    field(1, "ip", kString), field(2, "hostname", kString), list(4, "ports", kIngressPortStatus)};
constexpr Field kIngressLoadBalancerStatus[] = {list(1, "ingress", kIngressLoadBalancerIngress)};
constexpr Field kIngressStatus[] = {field(1, "loadBalancer", kIngressLoadBalancerStatus)};
constexpr Field kIngress[] = {field(1, "metadata", kObjectMeta), field(2, "spec", kIngressSpec),
                              field(3, "status", kIngressStatus)};
constexpr Field kPodDisruptionBudgetSpec[] = {
    kept(1, "minAvailable", kIntOrString), kept(2, "selector", kLabelSelector),
    kept(3, "maxUnavailable", kIntOrString), kept(4, "unhealthyPodEvictionPolicy", kString)};
constexpr Field kPodDisruptionBudgetStatus[] = {
    field(1, "observedGeneration", kInt), map(2, "disruptedPods", kTime),
    kept(3, "disruptionsAllowed", kInt),  kept(4, "currentHealthy", kInt),
    kept(5, "desiredHealthy", kInt),      kept(6, "expectedPods", kInt),
    list(7, "conditions", kCondition)};
constexpr Field kPodDisruptionBudget[] = {field(1, "metadata", kObjectMeta),
                                          field(2, "spec", kPodDisruptionBudgetSpec),
                                          field(3, "status", kPodDisruptionBudgetStatus)};
constexpr Field kPolicyRule[] = {list(1, "verbs", kString), list(2, "apiGroups", kString),
                                 list(3, "resources", kString), list(4, "resourceNames", kString),
                                 list(5, "nonResourceURLs", kString)};
constexpr Field kRole[] = {field(1, "metadata", kObjectMeta), list(2, "rules", kPolicyRule)};
constexpr Field kSubject[] = {kept(1, "kind", kString), field(2, "apiGroup", kString),
                              kept(3, "name", kString), field(4, "namespace", kString)};
constexpr Field kRoleRef[] = {kept(1, "apiGroup", kString), kept(2, "kind", kString),
                              kept(3, "name", kString)};
constexpr Field kRoleBinding[] = {field(1, "metadata", kObjectMeta), list(2, "subjects", kSubject),
                                  kept(3, "roleRef", kRoleRef)};
constexpr Field kAggregationRule[] = {list(1, "clusterRoleSelectors", kLabelSelector)};
constexpr Field kClusterRole[] = {field(1, "metadata", kObjectMeta), list(2, "rules", kPolicyRule),
                                  kept(3, "aggregationRule", kAggregationRule)};
constexpr Field kClusterRoleBinding[] = {
    field(1, "metadata", kObjectMeta), list(2, "subjects", kSubject), kept(3, "roleRef", kRoleRef)};
constexpr Field kResourceAttributes[] = {
    field(1, "namespace", kString), field(2, "verb", kString),     field(3, "group", kString),
    field(4, "version", kString),   field(5, "resource", kString), field(6, "subresource", kString),
    field(7, "name", kString)};
constexpr Field kNonResourceAttributes[] = {field(1, "path", kString), field(2, "verb", kString)};
constexpr Field kSelfSubjectAccessReviewSpec[] = {
    kept(1, "resourceAttributes", kResourceAttributes),
    kept(2, "nonResourceAttributes", kNonResourceAttributes)};
constexpr Field kSelfSubjectAccessReview[] = {field(1, "metadata", kObjectMeta),
                                              kept(2, "spec", kSelfSubjectAccessReviewSpec)};
constexpr Field kSelfSubjectRulesReviewSpec[] = {field(1, "namespace", kString)};
constexpr Field kSelfSubjectRulesReview[] = {field(1, "metadata", kObjectMeta),
                                             kept(2, "spec", kSelfSubjectRulesReviewSpec)};
constexpr Field kSubjectAccessReviewSpec[] = {
    kept(1, "resourceAttributes", kResourceAttributes),
    kept(2, "nonResourceAttributes", kNonResourceAttributes), field(3, "user", kString),
    list(4, "groups", kString), field(6, "uid", kString)};
constexpr Field kSubjectAccessReview[] = {field(1, "metadata", kObjectMeta),
                                          kept(2, "spec", kSubjectAccessReviewSpec)};
constexpr Field kSelfSubjectReview[] = {field(1, "metadata", kObjectMeta)};
constexpr Field kTokenReviewSpec[] = {field(1, "token", kString), list(2, "audiences", kString)};
constexpr Field kTokenReview[] = {field(1, "metadata", kObjectMeta),
                                  kept(2, "spec", kTokenReviewSpec)};
constexpr Field kScaleSpec[] = {kept(1, "replicas", kInt)};
constexpr Field kScale[] = {field(1, "metadata", kObjectMeta), kept(2, "spec", kScaleSpec)};

struct KindRow {
  std::string_view api_version;
  std::string_view kind;
  Message message;
};

constexpr KindRow kKinds[] = {
    {"v1", "Namespace", kNamespace},
    {"v1", "ConfigMap", kConfigMap},
    {"v1", "Secret", kSecret},
    {"v1", "Service", kService},
    {"v1", "Endpoints", kEndpoints},
    {"v1", "Pod", kPod},
    {"v1", "Event", kEvent},
    {"v1", "Node", kNode},
    {"v1", "ServiceAccount", kServiceAccount},
    {"v1", "PersistentVolumeClaim", kPersistentVolumeClaim},
    {"v1", "ResourceQuota", kResourceQuota},
    {"v1", "LimitRange", kLimitRange},
    {"authentication.k8s.io/v1", "SelfSubjectReview", kSelfSubjectReview},
    {"authentication.k8s.io/v1", "TokenReview", kTokenReview},
    {"authorization.k8s.io/v1", "LocalSubjectAccessReview", kSubjectAccessReview},
    {"authorization.k8s.io/v1", "SelfSubjectAccessReview", kSelfSubjectAccessReview},
    {"authorization.k8s.io/v1", "SelfSubjectRulesReview", kSelfSubjectRulesReview},
    {"authorization.k8s.io/v1", "SubjectAccessReview", kSubjectAccessReview},
    {"autoscaling/v1", "Scale", kScale},
    {"apps/v1", "Deployment", kDeployment},
    {"apps/v1", "ReplicaSet", kReplicaSet},
    {"apps/v1", "StatefulSet", kStatefulSet},
    {"apps/v1", "DaemonSet", kDaemonSet},
    {"batch/v1", "Job", kJob},
    {"batch/v1", "CronJob", kCronJob},
    {"coordination.k8s.io/v1", "Lease", kLease},
    {"events.k8s.io/v1", "Event", kEventsEvent},
    {"networking.k8s.io/v1", "NetworkPolicy", kNetworkPolicy},
    {"networking.k8s.io/v1", "Ingress", kIngress},
    {"policy/v1", "PodDisruptionBudget", kPodDisruptionBudget},
    {"rbac.authorization.k8s.io/v1", "Role", kRole},
    {"rbac.authorization.k8s.io/v1", "RoleBinding", kRoleBinding},
    {"rbac.authorization.k8s.io/v1", "ClusterRole", kClusterRole},
    {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", kClusterRoleBinding},
};

// Decoding looks fields up by binary search.
constexpr bool is_sorted(const Message& message) {
  return std::ranges::is_sorted(message, std::ranges::less_equal{}, &Field::number) &&
         std::ranges::all_of(message, [](const Field& f) { return is_sorted(f.message); });
}
constexpr Message kDeleteOptionsMessage = kDeleteOptions;
static_assert(std::ranges::all_of(kKinds, is_sorted, &KindRow::message));
static_assert(is_sorted(kDeleteOptionsMessage));

}  // namespace

const Message* find_kind(std::string_view api_version, std::string_view kind) {
  // Every group version has its own DeleteOptions, all alike.
  if (kind == "DeleteOptions") return &kDeleteOptionsMessage;
  const auto row = std::ranges::find_if(kKinds, [&](const KindRow& candidate) {
    return candidate.api_version == api_version && candidate.kind == kind;
  });
  return row == std::end(kKinds) ? nullptr : &row->message;
}

}  // namespace hearth::apiserver::protobuf
