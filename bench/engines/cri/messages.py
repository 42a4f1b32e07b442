"""The messages and calls of the Container Runtime Interface, version 1, that Tare needs.

The tables hold field names, numbers and types of ``runtime.v1`` (kubernetes/cri-api, pkg/apis/runtime/v1/api.proto),
which do not change within version 1.
"""

from __future__ import annotations

from bench.engines.grpc import classes

# Message → fields as name:number[:type]; the type is string unless given, [] is a list, map is string to string.
_MESSAGES = {
    "Empty": "",
    "VersionRequest": "version:1",
    "VersionResponse": "version:1 runtime_name:2 runtime_version:3 runtime_api_version:4",
    "StatusRequest": "verbose:1:bool",
    "RuntimeCondition": "type:1 status:2:bool reason:3 message:4",
    "RuntimeStatus": "conditions:1:RuntimeCondition[]",
    "StatusResponse": "status:1:RuntimeStatus info:2:map",
    "LinuxRuntimeConfiguration": "cgroup_driver:1:int32",
    "RuntimeConfigResponse": "linux:1:LinuxRuntimeConfiguration",
    "NamespaceOption": "network:1:int32 pid:2:int32 ipc:3:int32",
    "SecurityProfile": "profile_type:1:int32",
    "LinuxSandboxSecurityContext": "namespace_options:1:NamespaceOption seccomp:9:SecurityProfile",
    "LinuxPodSandboxConfig": "cgroup_parent:1 security_context:2:LinuxSandboxSecurityContext",
    "PodSandboxMetadata": "name:1 uid:2 namespace:3 attempt:4:uint32",
    "PodSandboxConfig": "metadata:1:PodSandboxMetadata hostname:2 log_directory:3 labels:6:map"
    " linux:8:LinuxPodSandboxConfig",
    "RunPodSandboxRequest": "config:1:PodSandboxConfig runtime_handler:2",
    "PodSandboxRequest": "pod_sandbox_id:1",
    "PodSandboxStatusRequest": "pod_sandbox_id:1 verbose:2:bool",
    "PodSandboxStatus": "id:1 state:3:int32 runtime_handler:9",
    "PodSandboxStatusResponse": "status:1:PodSandboxStatus info:2:map",
    "PodSandboxFilter": "label_selector:3:map",
    "ListPodSandboxRequest": "filter:1:PodSandboxFilter",
    "PodSandbox": "id:1 metadata:2:PodSandboxMetadata state:3:int32",
    "ListPodSandboxResponse": "items:1:PodSandbox[]",
    "ImageSpec": "image:1 user_specified_image:18",
    "LinuxContainerResources": "cpu_period:1:int64 cpu_quota:2:int64 cpu_shares:3:int64 memory_limit_in_bytes:4:int64"
    " cpuset_cpus:6 memory_swap_limit_in_bytes:10:int64",
    "LinuxContainerSecurityContext": "namespace_options:3:NamespaceOption masked_paths:13:string[]"
    " readonly_paths:14:string[] seccomp:15:SecurityProfile",
    "LinuxContainerConfig": "resources:1:LinuxContainerResources security_context:2:LinuxContainerSecurityContext",
    "ContainerMetadata": "name:1 attempt:2:uint32",
    "Mount": "container_path:1 host_path:2 readonly:3:bool",
    "ContainerConfig": "metadata:1:ContainerMetadata image:2:ImageSpec command:3:string[] args:4:string[] mounts:7:Mount[]"
    " labels:9:map log_path:11 linux:15:LinuxContainerConfig",
    "CreateContainerRequest": "pod_sandbox_id:1 config:2:ContainerConfig sandbox_config:3:PodSandboxConfig",
    "CreateContainerResponse": "container_id:1",
    "ContainerRequest": "container_id:1",
    "StopContainerRequest": "container_id:1 timeout:2:int64",
    "ContainerFilter": "pod_sandbox_id:3 label_selector:4:map",
    "ListContainersRequest": "filter:1:ContainerFilter",
    "Container": "id:1 pod_sandbox_id:2 state:6:int32",
    "ListContainersResponse": "containers:1:Container[]",
    "ContainerStatusRequest": "container_id:1 verbose:2:bool",
    "ContainerStatus": "id:1 state:3:int32 exit_code:7:int32 reason:10 message:11",
    "ContainerStatusResponse": "status:1:ContainerStatus info:2:map",
    "ExecSyncRequest": "container_id:1 cmd:2:string[] timeout:3:int64",
    "ExecSyncResponse": "stdout:1:bytes stderr:2:bytes exit_code:3:int32",
    "ContainerStatsRequest": "container_id:1",
    "UInt64Value": "value:1:uint64",
    "CpuUsage": "timestamp:1:int64 usage_core_nano_seconds:2:UInt64Value",
    "MemoryUsage": "timestamp:1:int64 working_set_bytes:2:UInt64Value usage_bytes:4:UInt64Value",
    "ContainerStats": "cpu:2:CpuUsage memory:3:MemoryUsage",
    "ContainerStatsResponse": "stats:1:ContainerStats",
    "Image": "id:1 repo_tags:2:string[] repo_digests:3:string[]",
    "ImageRequest": "image:1:ImageSpec",
    "ImageStatusResponse": "image:1:Image",
    "FilesystemIdentifier": "mountpoint:1",
    "FilesystemUsage": "fs_id:2:FilesystemIdentifier",
    "ImageFsInfoResponse": "image_filesystems:1:FilesystemUsage[]",
}

TYPES = classes("tare.cri", _MESSAGES)
"""Message name → class."""

# Call → request, response.
_RUNTIME = {
    "Version": ("VersionRequest", "VersionResponse"),
    "Status": ("StatusRequest", "StatusResponse"),
    "RuntimeConfig": ("Empty", "RuntimeConfigResponse"),
    "RunPodSandbox": ("RunPodSandboxRequest", "PodSandboxRequest"),
    "StopPodSandbox": ("PodSandboxRequest", "Empty"),
    "RemovePodSandbox": ("PodSandboxRequest", "Empty"),
    "PodSandboxStatus": ("PodSandboxStatusRequest", "PodSandboxStatusResponse"),
    "ListPodSandbox": ("ListPodSandboxRequest", "ListPodSandboxResponse"),
    "CreateContainer": ("CreateContainerRequest", "CreateContainerResponse"),
    "StartContainer": ("ContainerRequest", "Empty"),
    "StopContainer": ("StopContainerRequest", "Empty"),
    "RemoveContainer": ("ContainerRequest", "Empty"),
    "ListContainers": ("ListContainersRequest", "ListContainersResponse"),
    "ExecSync": ("ExecSyncRequest", "ExecSyncResponse"),
    "ContainerStatus": ("ContainerStatusRequest", "ContainerStatusResponse"),
    "ContainerStats": ("ContainerStatsRequest", "ContainerStatsResponse"),
}
_IMAGE = {
    "ImageStatus": ("ImageRequest", "ImageStatusResponse"),
    "RemoveImage": ("ImageRequest", "Empty"),
    "ImageFsInfo": ("Empty", "ImageFsInfoResponse"),
}
CALLS = {name: (f"/runtime.v1.RuntimeService/{name}", *messages) for name, messages in _RUNTIME.items()} | {
    name: (f"/runtime.v1.ImageService/{name}", *messages) for name, messages in _IMAGE.items()
}
"""Call → its full name, and the names of its request and response."""
