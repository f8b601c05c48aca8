// A Pod's template and status (core/v1).
#pragma once

#include "emulator/apiserver/protobuf_volumes.h"

namespace hearth::apiserver::protobuf {

inline constexpr Field kContainerPort[] = {
    field(1, "name", kString), field(2, "hostPort", kInt), kept(3, "containerPort", kInt),
    field(4, "protocol", kString), field(5, "hostIP", kString)};
inline constexpr Field kConfigMapKeySelector[] = {
    inlined(1, kLocalObjectReference), kept(2, "key", kString), kept(3, "optional", kBool)};
inline constexpr Field kSecretKeySelector[] = {inlined(1, kLocalObjectReference),
                                               kept(2, "key", kString), kept(3, "optional", kBool)};
inline constexpr Field kFileKeySelector[] = {kept(1, "volumeName", kString),
                                             kept(2, "path", kString), kept(3, "key", kString),
                                             kept(4, "optional", kBool)};
inline constexpr Field kEnvVarSource[] = {
    kept(1, "fieldRef", kObjectFieldSelector), kept(2, "resourceFieldRef", kResourceFieldSelector),
    kept(3, "configMapKeyRef", kConfigMapKeySelector), kept(4, "secretKeyRef", kSecretKeySelector),
    kept(5, "fileKeyRef", kFileKeySelector)};
inline constexpr Field kEnvVar[] = {kept(1, "name", kString), field(2, "value", kString),
                                    kept(3, "valueFrom", kEnvVarSource)};
inline constexpr Field kResourceClaim[] = {kept(1, "name", kString), field(2, "request", kString)};
inline constexpr Field kResourceRequirements[] = {
    map(1, "limits", kQuantity), map(2, "requests", kQuantity), list(3, "claims", kResourceClaim)};
inline constexpr Field kVolumeMount[] = {kept(1, "name", kString),
                                         field(2, "readOnly", kBool),
                                         kept(3, "mountPath", kString),
                                         field(4, "subPath", kString),
                                         kept(5, "mountPropagation", kString),
                                         field(6, "subPathExpr", kString),
                                         kept(7, "recursiveReadOnly", kString),
                                         list(8, "bindMountOptions", kString)};
inline constexpr Field kExecAction[] = {list(1, "command", kString)};
inline constexpr Field kHTTPHeader[] = {kept(1, "name", kString), kept(2, "value", kString)};
inline constexpr Field kHTTPGetAction[] = {
    field(1, "path", kString),   kept(2, "port", kIntOrString),       field(3, "host", kString),
    field(4, "scheme", kString), list(5, "httpHeaders", kHTTPHeader), kept(6, "protocol", kString)};
inline constexpr Field kTCPSocketAction[] = {kept(1, "port", kIntOrString),
                                             field(2, "host", kString)};
inline constexpr Field kGRPCAction[] = {kept(1, "port", kInt), kept(2, "service", kString),
                                        kept(3, "mode", kString)};
inline constexpr Field kProbeHandler[] = {
    kept(1, "exec", kExecAction), kept(2, "httpGet", kHTTPGetAction),
    kept(3, "tcpSocket", kTCPSocketAction), kept(4, "grpc", kGRPCAction)};
inline constexpr Field kProbe[] = {inlined(1, kProbeHandler),
                                   field(2, "initialDelaySeconds", kInt),
                                   field(3, "timeoutSeconds", kInt),
                                   field(4, "periodSeconds", kInt),
                                   field(5, "successThreshold", kInt),
                                   field(6, "failureThreshold", kInt),
                                   kept(7, "terminationGracePeriodSeconds", kInt)};
inline constexpr Field kSleepAction[] = {kept(1, "seconds", kInt)};
inline constexpr Field kLifecycleHandler[] = {
    kept(1, "exec", kExecAction), kept(2, "httpGet", kHTTPGetAction),
    kept(3, "tcpSocket", kTCPSocketAction), kept(4, "sleep", kSleepAction)};
inline constexpr Field kLifecycle[] = {kept(1, "postStart", kLifecycleHandler),
                                       kept(2, "preStop", kLifecycleHandler),
                                       kept(3, "stopSignal", kString)};
inline constexpr Field kCapabilities[] = {list(1, "add", kString), list(2, "drop", kString)};
inline constexpr Field kSELinuxOptions[] = {field(1, "user", kString), field(2, "role", kString),
                                            field(3, "type", kString), field(4, "level", kString)};
inline constexpr Field kWindowsSecurityContextOptions[] = {
    kept(1, "gmsaCredentialSpecName", kString), kept(2, "gmsaCredentialSpec", kString),
    kept(3, "runAsUserName", kString), kept(4, "hostProcess", kBool)};
inline constexpr Field kSeccompProfile[] = {kept(1, "type", kString),
                                            kept(2, "localhostProfile", kString)};
inline constexpr Field kAppArmorProfile[] = {kept(1, "type", kString),
                                             kept(2, "localhostProfile", kString)};
inline constexpr Field kSecurityContext[] = {
    kept(1, "capabilities", kCapabilities),
    kept(2, "privileged", kBool),
    kept(3, "seLinuxOptions", kSELinuxOptions),
    kept(4, "runAsUser", kInt),
    kept(5, "runAsNonRoot", kBool),
    kept(6, "readOnlyRootFilesystem", kBool),
    kept(7, "allowPrivilegeEscalation", kBool),
    kept(8, "runAsGroup", kInt),
    kept(9, "procMount", kString),
    kept(10, "windowsOptions", kWindowsSecurityContextOptions),
    kept(11, "seccompProfile", kSeccompProfile),
    kept(12, "appArmorProfile", kAppArmorProfile)};
inline constexpr Field kConfigMapEnvSource[] = {inlined(1, kLocalObjectReference),
                                                kept(2, "optional", kBool)};
inline constexpr Field kSecretEnvSource[] = {inlined(1, kLocalObjectReference),
                                             kept(2, "optional", kBool)};
inline constexpr Field kEnvFromSource[] = {field(1, "prefix", kString),
                                           kept(2, "configMapRef", kConfigMapEnvSource),
                                           kept(3, "secretRef", kSecretEnvSource)};
inline constexpr Field kVolumeDevice[] = {kept(1, "name", kString), kept(2, "devicePath", kString)};
inline constexpr Field kContainerResizePolicy[] = {kept(1, "resourceName", kString),
                                                   kept(2, "restartPolicy", kString)};
inline constexpr Field kContainerRestartRuleOnExitCodes[] = {field(1, "operator", kString),
                                                             list(2, "values", kInt)};
inline constexpr Field kContainerRestartRule[] = {
    field(1, "action", kString), kept(2, "exitCodes", kContainerRestartRuleOnExitCodes)};
inline constexpr Field kContainer[] = {kept(1, "name", kString),
                                       field(2, "image", kString),
                                       list(3, "command", kString),
                                       list(4, "args", kString),
                                       field(5, "workingDir", kString),
                                       list(6, "ports", kContainerPort),
                                       list(7, "env", kEnvVar),
                                       field(8, "resources", kResourceRequirements),
                                       list(9, "volumeMounts", kVolumeMount),
                                       kept(10, "livenessProbe", kProbe),
                                       kept(11, "readinessProbe", kProbe),
                                       kept(12, "lifecycle", kLifecycle),
                                       field(13, "terminationMessagePath", kString),
                                       field(14, "imagePullPolicy", kString),
                                       kept(15, "securityContext", kSecurityContext),
                                       field(16, "stdin", kBool),
                                       field(17, "stdinOnce", kBool),
                                       field(18, "tty", kBool),
                                       list(19, "envFrom", kEnvFromSource),
                                       field(20, "terminationMessagePolicy", kString),
                                       list(21, "volumeDevices", kVolumeDevice),
                                       kept(22, "startupProbe", kProbe),
                                       list(23, "resizePolicy", kContainerResizePolicy),
                                       kept(24, "restartPolicy", kString),
                                       list(25, "restartPolicyRules", kContainerRestartRule)};
inline constexpr Field kSysctl[] = {kept(1, "name", kString), kept(2, "value", kString)};
inline constexpr Field kPodSecurityContext[] = {
    kept(1, "seLinuxOptions", kSELinuxOptions),
    kept(2, "runAsUser", kInt),
    kept(3, "runAsNonRoot", kBool),
    list(4, "supplementalGroups", kInt),
    kept(5, "fsGroup", kInt),
    kept(6, "runAsGroup", kInt),
    list(7, "sysctls", kSysctl),
    kept(8, "windowsOptions", kWindowsSecurityContextOptions),
    kept(9, "fsGroupChangePolicy", kString),
    kept(10, "seccompProfile", kSeccompProfile),
    kept(11, "appArmorProfile", kAppArmorProfile),
    kept(12, "supplementalGroupsPolicy", kString),
    kept(13, "seLinuxChangePolicy", kString)};
inline constexpr Field kNodeSelectorRequirement[] = {
    kept(1, "key", kString), kept(2, "operator", kString), list(3, "values", kString)};
inline constexpr Field kNodeSelectorTerm[] = {list(1, "matchExpressions", kNodeSelectorRequirement),
                                              list(2, "matchFields", kNodeSelectorRequirement)};
inline constexpr Field kNodeSelector[] = {list(1, "nodeSelectorTerms", kNodeSelectorTerm)};
inline constexpr Field kPreferredSchedulingTerm[] = {kept(1, "weight", kInt),
                                                     kept(2, "preference", kNodeSelectorTerm)};
inline constexpr Field kNodeAffinity[] = {
    kept(1, "requiredDuringSchedulingIgnoredDuringExecution", kNodeSelector),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", kPreferredSchedulingTerm)};
inline constexpr Field kPodAffinityTerm[] = {
    kept(1, "labelSelector", kLabelSelector), list(2, "namespaces", kString),
    kept(3, "topologyKey", kString),          kept(4, "namespaceSelector", kLabelSelector),
    list(5, "matchLabelKeys", kString),       list(6, "mismatchLabelKeys", kString)};
inline constexpr Field kWeightedPodAffinityTerm[] = {kept(1, "weight", kInt),
                                                     kept(2, "podAffinityTerm", kPodAffinityTerm)};
inline constexpr Field kPodAffinity[] = {
    list(1, "requiredDuringSchedulingIgnoredDuringExecution", kPodAffinityTerm),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", kWeightedPodAffinityTerm)};
inline constexpr Field kPodAntiAffinity[] = {
    list(1, "requiredDuringSchedulingIgnoredDuringExecution", kPodAffinityTerm),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", kWeightedPodAffinityTerm)};
inline constexpr Field kAffinity[] = {kept(1, "nodeAffinity", kNodeAffinity),
                                      kept(2, "podAffinity", kPodAffinity),
                                      kept(3, "podAntiAffinity", kPodAntiAffinity)};
inline constexpr Field kToleration[] = {field(1, "key", kString), field(2, "operator", kString),
                                        field(3, "value", kString), field(4, "effect", kString),
                                        kept(5, "tolerationSeconds", kInt)};
inline constexpr Field kHostAlias[] = {kept(1, "ip", kString), list(2, "hostnames", kString)};
inline constexpr Field kPodDNSConfigOption[] = {field(1, "name", kString),
                                                kept(2, "value", kString)};
inline constexpr Field kPodDNSConfig[] = {list(1, "nameservers", kString),
                                          list(2, "searches", kString),
                                          list(3, "options", kPodDNSConfigOption)};
inline constexpr Field kPodReadinessGate[] = {kept(1, "conditionType", kString)};
inline constexpr Field kTopologySpreadConstraint[] = {kept(1, "maxSkew", kInt),
                                                      kept(2, "topologyKey", kString),
                                                      kept(3, "whenUnsatisfiable", kString),
                                                      kept(4, "labelSelector", kLabelSelector),
                                                      kept(5, "minDomains", kInt),
                                                      kept(6, "nodeAffinityPolicy", kString),
                                                      kept(7, "nodeTaintsPolicy", kString),
                                                      list(8, "matchLabelKeys", kString)};
inline constexpr Field kEphemeralContainer[] = {inlined(1, kContainer),
                                                field(2, "targetContainerName", kString)};
inline constexpr Field kPodOS[] = {kept(1, "name", kString)};
inline constexpr Field kPodSchedulingGate[] = {kept(1, "name", kString)};
inline constexpr Field kPodResourceClaim[] = {kept(1, "name", kString),
                                              kept(3, "resourceClaimName", kString),
                                              kept(4, "resourceClaimTemplateName", kString)};
inline constexpr Field kPodSchedulingGroup[] = {kept(1, "podGroupName", kString)};
inline constexpr Field kEvictionResponder[] = {kept(1, "name", kString), kept(2, "priority", kInt)};
inline constexpr Field kPodSpec[] = {
    list(1, "volumes", kVolume),
    list(2, "containers", kContainer),
    field(3, "restartPolicy", kString),
    kept(4, "terminationGracePeriodSeconds", kInt),
    kept(5, "activeDeadlineSeconds", kInt),
    field(6, "dnsPolicy", kString),
    map(7, "nodeSelector", kString),
    field(8, "serviceAccountName", kString),
    field(9, "serviceAccount", kString),
    field(10, "nodeName", kString),
    field(11, "hostNetwork", kBool),
    field(12, "hostPID", kBool),
    field(13, "hostIPC", kBool),
    kept(14, "securityContext", kPodSecurityContext),
    list(15, "imagePullSecrets", kLocalObjectReference),
    field(16, "hostname", kString),
    field(17, "subdomain", kString),
    kept(18, "affinity", kAffinity),
    field(19, "schedulerName", kString),
    list(20, "initContainers", kContainer),
    kept(21, "automountServiceAccountToken", kBool),
    list(22, "tolerations", kToleration),
    list(23, "hostAliases", kHostAlias),
    field(24, "priorityClassName", kString),
    kept(25, "priority", kInt),
    kept(26, "dnsConfig", kPodDNSConfig),
    kept(27, "shareProcessNamespace", kBool),
    list(28, "readinessGates", kPodReadinessGate),
    kept(29, "runtimeClassName", kString),
    kept(30, "enableServiceLinks", kBool),
    kept(31, "preemptionPolicy", kString),
    map(32, "overhead", kQuantity),
    list(33, "topologySpreadConstraints", kTopologySpreadConstraint),
    list(34, "ephemeralContainers", kEphemeralContainer),
    kept(35, "setHostnameAsFQDN", kBool),
    kept(36, "os", kPodOS),
    kept(37, "hostUsers", kBool),
    list(38, "schedulingGates", kPodSchedulingGate),
    list(39, "resourceClaims", kPodResourceClaim),
    kept(40, "resources", kResourceRequirements),
    kept(41, "hostnameOverride", kString),
    kept(43, "schedulingGroup", kPodSchedulingGroup),
    list(44, "evictionResponders", kEvictionResponder)};
inline constexpr Field kPodTemplateSpec[] = {field(1, "metadata", kObjectMeta),
                                             field(2, "spec", kPodSpec)};
inline constexpr Field kPodCondition[] = {kept(1, "type", kString),
                                          kept(2, "status", kString),
                                          field(3, "lastProbeTime", kTime),
                                          field(4, "lastTransitionTime", kTime),
                                          field(5, "reason", kString),
                                          field(6, "message", kString),
                                          field(7, "observedGeneration", kInt)};
inline constexpr Field kContainerStateWaiting[] = {field(1, "reason", kString),
                                                   field(2, "message", kString)};
inline constexpr Field kContainerStateRunning[] = {field(1, "startedAt", kTime)};
inline constexpr Field kContainerStateTerminated[] = {
    kept(1, "exitCode", kInt),       field(2, "signal", kInt),     field(3, "reason", kString),
    field(4, "message", kString),    field(5, "startedAt", kTime), field(6, "finishedAt", kTime),
    field(7, "containerID", kString)};
inline constexpr Field kContainerState[] = {kept(1, "waiting", kContainerStateWaiting),
                                            kept(2, "running", kContainerStateRunning),
                                            kept(3, "terminated", kContainerStateTerminated)};
inline constexpr Field kImageVolumeStatus[] = {field(1, "imageRef", kString)};
inline constexpr Field kVolumeStatus[] = {kept(1, "image", kImageVolumeStatus)};
inline constexpr Field kVolumeMountStatus[] = {
    kept(1, "name", kString), kept(2, "mountPath", kString), field(3, "readOnly", kBool),
    kept(4, "recursiveReadOnly", kString), kept(5, "volumeStatus", kVolumeStatus)};
inline constexpr Field kLinuxContainerUser[] = {kept(1, "uid", kInt), kept(2, "gid", kInt),
                                                list(3, "supplementalGroups", kInt)};
inline constexpr Field kContainerUser[] = {kept(1, "linux", kLinuxContainerUser)};
inline constexpr Field kResourceHealth[] = {
    kept(1, "resourceID", kString), field(2, "health", kString), kept(6, "message", kString)};
inline constexpr Field kResourceStatus[] = {kept(1, "name", kString),
                                            list(2, "resources", kResourceHealth)};
inline constexpr Field kContainerStatus[] = {kept(1, "name", kString),
                                             field(2, "state", kContainerState),
                                             field(3, "lastState", kContainerState),
                                             kept(4, "ready", kBool),
                                             kept(5, "restartCount", kInt),
                                             kept(6, "image", kString),
                                             kept(7, "imageID", kString),
                                             field(8, "containerID", kString),
                                             kept(9, "started", kBool),
                                             map(10, "allocatedResources", kQuantity),
                                             kept(11, "resources", kResourceRequirements),
                                             list(12, "volumeMounts", kVolumeMountStatus),
                                             kept(13, "user", kContainerUser),
                                             list(14, "allocatedResourcesStatus", kResourceStatus),
                                             kept(15, "stopSignal", kString)};
inline constexpr Field kPodIP[] = {kept(1, "ip", kString)};
inline constexpr Field kPodResourceClaimStatus[] = {kept(1, "name", kString),
                                                    kept(2, "resourceClaimName", kString)};
inline constexpr Field kHostIP[] = {kept(1, "ip", kString)};
inline constexpr Field kContainerExtendedResourceRequest[] = {kept(1, "containerName", kString),
                                                              kept(2, "resourceName", kString),
                                                              kept(3, "requestName", kString)};
inline constexpr Field kPodExtendedResourceClaimStatus[] = {
    list(1, "requestMappings", kContainerExtendedResourceRequest),
    kept(2, "resourceClaimName", kString)};
inline constexpr Field kNodeAllocatableMappedResources[] = {kept(1, "name", kString),
                                                            kept(2, "quantity", kQuantity)};
inline constexpr Field kNodeAllocatableOverheadResources[] = {
    kept(1, "name", kString), kept(2, "perPod", kQuantity), kept(3, "perContainer", kQuantity)};
inline constexpr Field kNodeAllocatableResourceClaimStatus[] = {
    kept(1, "resourceClaimName", kString), list(2, "containers", kString),
    list(4, "mapping", kNodeAllocatableMappedResources),
    list(5, "overhead", kNodeAllocatableOverheadResources)};
inline constexpr Field kVolumeHealthCondition[] = {
    kept(1, "status", kString), kept(2, "reason", kString), field(3, "message", kString)};
inline constexpr Field kPodVolumeHealth[] = {kept(1, "name", kString),
                                             list(2, "healthConditions", kVolumeHealthCondition),
                                             field(3, "lastTransitionTime", kTime)};
inline constexpr Field kPodStatus[] = {
    field(1, "phase", kString),
    list(2, "conditions", kPodCondition),
    field(3, "message", kString),
    field(4, "reason", kString),
    field(5, "hostIP", kString),
    field(6, "podIP", kString),
    kept(7, "startTime", kTime),
    list(8, "containerStatuses", kContainerStatus),
    field(9, "qosClass", kString),
    list(10, "initContainerStatuses", kContainerStatus),
    field(11, "nominatedNodeName", kString),
    list(12, "podIPs", kPodIP),
    list(13, "ephemeralContainerStatuses", kContainerStatus),
    field(14, "resize", kString),
    list(15, "resourceClaimStatuses", kPodResourceClaimStatus),
    list(16, "hostIPs", kHostIP),
    field(17, "observedGeneration", kInt),
    kept(18, "extendedResourceClaimStatus", kPodExtendedResourceClaimStatus),
    map(19, "allocatedResources", kQuantity),
    kept(20, "resources", kResourceRequirements),
    list(21, "nodeAllocatableResourceClaimStatuses", kNodeAllocatableResourceClaimStatus),
    list(22, "volumeHealth", kPodVolumeHealth)};

}  // namespace hearth::apiserver::protobuf
