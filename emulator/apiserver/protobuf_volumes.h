// Volumes of a Pod and the claims behind them (core/v1).
#pragma once

#include "emulator/apiserver/protobuf_meta.h"

namespace hearth::apiserver::protobuf {

inline constexpr Field kHostPathVolumeSource[] = {kept(1, "path", kString),
                                                  kept(2, "type", kString)};
inline constexpr Field kEmptyDirVolumeSource[] = {
    field(1, "medium", kString), kept(2, "sizeLimit", kQuantity), kept(3, "mode", kInt)};
inline constexpr Field kGCEPersistentDiskVolumeSource[] = {
    kept(1, "pdName", kString), field(2, "fsType", kString), field(3, "partition", kInt),
    field(4, "readOnly", kBool)};
inline constexpr Field kAWSElasticBlockStoreVolumeSource[] = {
    kept(1, "volumeID", kString), field(2, "fsType", kString), field(3, "partition", kInt),
    field(4, "readOnly", kBool)};
inline constexpr Field kGitRepoVolumeSource[] = {
    kept(1, "repository", kString), field(2, "revision", kString), field(3, "directory", kString)};
inline constexpr Field kKeyToPath[] = {kept(1, "key", kString), kept(2, "path", kString),
                                       kept(3, "mode", kInt), kept(4, "user", kInt)};
inline constexpr Field kSecretVolumeSource[] = {
    field(1, "secretName", kString), list(2, "items", kKeyToPath), kept(3, "defaultMode", kInt),
    kept(4, "optional", kBool), kept(5, "defaultUser", kInt)};
inline constexpr Field kNFSVolumeSource[] = {kept(1, "server", kString), kept(2, "path", kString),
                                             field(3, "readOnly", kBool)};
inline constexpr Field kLocalObjectReference[] = {field(1, "name", kString)};
inline constexpr Field kISCSIVolumeSource[] = {kept(1, "targetPortal", kString),
                                               kept(2, "iqn", kString),
                                               kept(3, "lun", kInt),
                                               field(4, "iscsiInterface", kString),
                                               field(5, "fsType", kString),
                                               field(6, "readOnly", kBool),
                                               list(7, "portals", kString),
                                               field(8, "chapAuthDiscovery", kBool),
                                               kept(10, "secretRef", kLocalObjectReference),
                                               field(11, "chapAuthSession", kBool),
                                               kept(12, "initiatorName", kString)};
inline constexpr Field kGlusterfsVolumeSource[] = {
    kept(1, "endpoints", kString), kept(2, "path", kString), field(3, "readOnly", kBool)};
inline constexpr Field kPersistentVolumeClaimVolumeSource[] = {kept(1, "claimName", kString),
                                                               field(2, "readOnly", kBool)};
inline constexpr Field kRBDVolumeSource[] = {list(1, "monitors", kString),
                                             kept(2, "image", kString),
                                             field(3, "fsType", kString),
                                             field(4, "pool", kString),
                                             field(5, "user", kString),
                                             field(6, "keyring", kString),
                                             kept(7, "secretRef", kLocalObjectReference),
                                             field(8, "readOnly", kBool)};
inline constexpr Field kFlexVolumeSource[] = {
    kept(1, "driver", kString), field(2, "fsType", kString),
    kept(3, "secretRef", kLocalObjectReference), field(4, "readOnly", kBool),
    map(5, "options", kString)};
inline constexpr Field kCinderVolumeSource[] = {
    kept(1, "volumeID", kString), field(2, "fsType", kString), field(3, "readOnly", kBool),
    kept(4, "secretRef", kLocalObjectReference)};
inline constexpr Field kCephFSVolumeSource[] = {list(1, "monitors", kString),
                                                field(2, "path", kString),
                                                field(3, "user", kString),
                                                field(4, "secretFile", kString),
                                                kept(5, "secretRef", kLocalObjectReference),
                                                field(6, "readOnly", kBool)};
inline constexpr Field kFlockerVolumeSource[] = {field(1, "datasetName", kString),
                                                 field(2, "datasetUUID", kString)};
inline constexpr Field kObjectFieldSelector[] = {field(1, "apiVersion", kString),
                                                 kept(2, "fieldPath", kString)};
inline constexpr Field kResourceFieldSelector[] = {field(1, "containerName", kString),
                                                   kept(2, "resource", kString),
                                                   field(3, "divisor", kQuantity)};
inline constexpr Field kDownwardAPIVolumeFile[] = {
    kept(1, "path", kString), kept(2, "fieldRef", kObjectFieldSelector),
    kept(3, "resourceFieldRef", kResourceFieldSelector), kept(4, "mode", kInt),
    kept(5, "user", kInt)};
inline constexpr Field kDownwardAPIVolumeSource[] = {list(1, "items", kDownwardAPIVolumeFile),
                                                     kept(2, "defaultMode", kInt),
                                                     kept(3, "defaultUser", kInt)};
inline constexpr Field kFCVolumeSource[] = {list(1, "targetWWNs", kString), kept(2, "lun", kInt),
                                            field(3, "fsType", kString),
                                            field(4, "readOnly", kBool), list(5, "wwids", kString)};
inline constexpr Field kAzureFileVolumeSource[] = {
    kept(1, "secretName", kString), kept(2, "shareName", kString), field(3, "readOnly", kBool)};
inline constexpr Field kConfigMapVolumeSource[] = {
    inlined(1, kLocalObjectReference), list(2, "items", kKeyToPath), kept(3, "defaultMode", kInt),
    kept(4, "optional", kBool), kept(5, "defaultUser", kInt)};
inline constexpr Field kVsphereVirtualDiskVolumeSource[] = {
    kept(1, "volumePath", kString), field(2, "fsType", kString),
    field(3, "storagePolicyName", kString), field(4, "storagePolicyID", kString)};
inline constexpr Field kQuobyteVolumeSource[] = {
    kept(1, "registry", kString), kept(2, "volume", kString), field(3, "readOnly", kBool),
    field(4, "user", kString),    field(5, "group", kString), field(6, "tenant", kString)};
inline constexpr Field kAzureDiskVolumeSource[] = {
    kept(1, "diskName", kString), kept(2, "diskURI", kString), kept(3, "cachingMode", kString),
    kept(4, "fsType", kString),   kept(5, "readOnly", kBool),  kept(6, "kind", kString)};
inline constexpr Field kPhotonPersistentDiskVolumeSource[] = {kept(1, "pdID", kString),
                                                              field(2, "fsType", kString)};
inline constexpr Field kPortworxVolumeSource[] = {
    kept(1, "volumeID", kString), field(2, "fsType", kString), field(3, "readOnly", kBool)};
inline constexpr Field kScaleIOVolumeSource[] = {kept(1, "gateway", kString),
                                                 kept(2, "system", kString),
                                                 kept(3, "secretRef", kLocalObjectReference),
                                                 field(4, "sslEnabled", kBool),
                                                 field(5, "protectionDomain", kString),
                                                 field(6, "storagePool", kString),
                                                 field(7, "storageMode", kString),
                                                 field(8, "volumeName", kString),
                                                 field(9, "fsType", kString),
                                                 field(10, "readOnly", kBool)};
inline constexpr Field kSecretProjection[] = {
    inlined(1, kLocalObjectReference), list(2, "items", kKeyToPath), kept(4, "optional", kBool)};
inline constexpr Field kDownwardAPIProjection[] = {list(1, "items", kDownwardAPIVolumeFile)};
inline constexpr Field kConfigMapProjection[] = {
    inlined(1, kLocalObjectReference), list(2, "items", kKeyToPath), kept(4, "optional", kBool)};
inline constexpr Field kServiceAccountTokenProjection[] = {
    field(1, "audience", kString), kept(2, "expirationSeconds", kInt), kept(3, "path", kString),
    kept(4, "user", kInt)};
inline constexpr Field kClusterTrustBundleProjection[] = {kept(1, "name", kString),
                                                          kept(2, "signerName", kString),
                                                          kept(3, "labelSelector", kLabelSelector),
                                                          kept(4, "path", kString),
                                                          kept(5, "optional", kBool),
                                                          kept(6, "user", kInt)};
inline constexpr Field kPodCertificateProjection[] = {
    field(1, "signerName", kString),       field(2, "keyType", kString),
    kept(3, "maxExpirationSeconds", kInt), field(4, "credentialBundlePath", kString),
    field(5, "keyPath", kString),          field(6, "certificateChainPath", kString),
    map(7, "userAnnotations", kString),    kept(8, "user", kInt)};
inline constexpr Field kVolumeProjection[] = {
    kept(1, "secret", kSecretProjection),
    kept(2, "downwardAPI", kDownwardAPIProjection),
    kept(3, "configMap", kConfigMapProjection),
    kept(4, "serviceAccountToken", kServiceAccountTokenProjection),
    kept(5, "clusterTrustBundle", kClusterTrustBundleProjection),
    kept(6, "podCertificate", kPodCertificateProjection)};
inline constexpr Field kProjectedVolumeSource[] = {list(1, "sources", kVolumeProjection),
                                                   kept(2, "defaultMode", kInt),
                                                   kept(3, "defaultUser", kInt)};
inline constexpr Field kStorageOSVolumeSource[] = {
    field(1, "volumeName", kString), field(2, "volumeNamespace", kString),
    field(3, "fsType", kString), field(4, "readOnly", kBool),
    kept(5, "secretRef", kLocalObjectReference)};
inline constexpr Field kCSIVolumeSource[] = {
    kept(1, "driver", kString), kept(2, "readOnly", kBool), kept(3, "fsType", kString),
    map(4, "volumeAttributes", kString), kept(5, "nodePublishSecretRef", kLocalObjectReference)};
inline constexpr Field kVolumeResourceRequirements[] = {map(1, "limits", kQuantity),
                                                        map(2, "requests", kQuantity)};
inline constexpr Field kTypedLocalObjectReference[] = {
    kept(1, "apiGroup", kString), kept(2, "kind", kString), kept(3, "name", kString)};
inline constexpr Field kTypedObjectReference[] = {
    kept(1, "apiGroup", kString), kept(2, "kind", kString), kept(3, "name", kString),
    kept(4, "namespace", kString)};
inline constexpr Field kPersistentVolumeClaimSpec[] = {
    list(1, "accessModes", kString),
    field(2, "resources", kVolumeResourceRequirements),
    field(3, "volumeName", kString),
    kept(4, "selector", kLabelSelector),
    kept(5, "storageClassName", kString),
    kept(6, "volumeMode", kString),
    kept(7, "dataSource", kTypedLocalObjectReference),
    kept(8, "dataSourceRef", kTypedObjectReference),
    kept(9, "volumeAttributesClassName", kString)};
inline constexpr Field kPersistentVolumeClaimTemplate[] = {
    field(1, "metadata", kObjectMeta), kept(2, "spec", kPersistentVolumeClaimSpec)};
inline constexpr Field kEphemeralVolumeSource[] = {
    kept(1, "volumeClaimTemplate", kPersistentVolumeClaimTemplate)};
inline constexpr Field kImageVolumeSource[] = {field(1, "reference", kString),
                                               field(2, "pullPolicy", kString)};
inline constexpr Field kVolumeSource[] = {
    kept(1, "hostPath", kHostPathVolumeSource),
    kept(2, "emptyDir", kEmptyDirVolumeSource),
    kept(3, "gcePersistentDisk", kGCEPersistentDiskVolumeSource),
    kept(4, "awsElasticBlockStore", kAWSElasticBlockStoreVolumeSource),
    kept(5, "gitRepo", kGitRepoVolumeSource),
    kept(6, "secret", kSecretVolumeSource),
    kept(7, "nfs", kNFSVolumeSource),
    kept(8, "iscsi", kISCSIVolumeSource),
    kept(9, "glusterfs", kGlusterfsVolumeSource),
    kept(10, "persistentVolumeClaim", kPersistentVolumeClaimVolumeSource),
    kept(11, "rbd", kRBDVolumeSource),
    kept(12, "flexVolume", kFlexVolumeSource),
    kept(13, "cinder", kCinderVolumeSource),
    kept(14, "cephfs", kCephFSVolumeSource),
    kept(15, "flocker", kFlockerVolumeSource),
    kept(16, "downwardAPI", kDownwardAPIVolumeSource),
    kept(17, "fc", kFCVolumeSource),
    kept(18, "azureFile", kAzureFileVolumeSource),
    kept(19, "configMap", kConfigMapVolumeSource),
    kept(20, "vsphereVolume", kVsphereVirtualDiskVolumeSource),
    kept(21, "quobyte", kQuobyteVolumeSource),
    kept(22, "azureDisk", kAzureDiskVolumeSource),
    kept(23, "photonPersistentDisk", kPhotonPersistentDiskVolumeSource),
    kept(24, "portworxVolume", kPortworxVolumeSource),
    kept(25, "scaleIO", kScaleIOVolumeSource),
    kept(26, "projected", kProjectedVolumeSource),
    kept(27, "storageos", kStorageOSVolumeSource),
    kept(28, "csi", kCSIVolumeSource),
    kept(29, "ephemeral", kEphemeralVolumeSource),
    kept(30, "image", kImageVolumeSource)};
inline constexpr Field kVolume[] = {kept(1, "name", kString), inlined(2, kVolumeSource)};

}  // namespace hearth::apiserver::protobuf
