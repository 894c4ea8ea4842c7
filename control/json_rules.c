/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_rules.h"

#include <string.h>

#define DURATION "time.Duration"

/* The first that fits counts: a message's own before everybody's. */
static const struct json_rule rules[] = {
    {"ContainerSpec", "labels", JSON_EMIT_NONZERO, NULL, NULL},
    {"VolumeOptions", "labels", JSON_EMIT_NONZERO, NULL, NULL},
    {"EngineDescription", "labels", JSON_EMIT_NONZERO, NULL, NULL},
    {"LocalVolume", "labels", JSON_EMIT_NULL, NULL, NULL},
    {"LocalVolume", "options", JSON_EMIT_NULL, NULL, NULL},
    {"LocalVolume", "created_at", JSON_EMIT_NONZERO, NULL, NULL},
    {"LocalVolume", "name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"LocalVolume", "driver", JSON_EMIT_ALWAYS, NULL, NULL},
    {"LocalVolume", "mountpoint", JSON_EMIT_ALWAYS, NULL, NULL},
    {"LocalVolume", "scope", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "labels", JSON_EMIT_NULL, NULL, NULL},
    {"NetworkResource", "options", JSON_EMIT_NULL, NULL, NULL},
    {"NetworkResource", "name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "id", JSON_EMIT_ALWAYS, "Id", NULL},
    {"NetworkResource", "created", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "scope", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "driver", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "enable_ipv6", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "ipam", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "internal", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "attachable", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "ingress", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "config_from", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkResource", "config_only", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkIPAM", "driver", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkIPAM", "options", JSON_EMIT_NULL, NULL, NULL},
    {"NetworkIPAM", "config", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NetworkReference", "network", JSON_EMIT_ALWAYS, NULL, NULL},

    {"Cluster", "tls_info", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Cluster", "root_rotation_in_progress", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Cluster", "default_addr_pool", JSON_EMIT_NULL, NULL, NULL},
    {"Cluster", "subnet_size", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Cluster", "data_path_port", JSON_EMIT_ALWAYS, NULL, NULL},
    {"JoinTokens", "worker", JSON_EMIT_ALWAYS, NULL, NULL},
    {"JoinTokens", "manager", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SwarmUnlock", "unlock_key", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "orchestration", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "raft", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "dispatcher", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "ca_config", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "task_defaults", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ClusterSpec", "encryption_config", JSON_EMIT_ALWAYS, NULL, NULL},
    {"OrchestrationConfig", "task_history_retention_limit", JSON_EMIT_PRESENT, NULL, "int64"},
    {"RaftConfig", "keep_old_snapshots", JSON_EMIT_PRESENT, NULL, NULL},
    {"RaftConfig", "election_tick", JSON_EMIT_ALWAYS, NULL, "int"},
    {"RaftConfig", "heartbeat_tick", JSON_EMIT_ALWAYS, NULL, "int"},
    {"EncryptionConfig", "auto_lock_managers", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ExternalCA", "protocol", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ExternalCA", "url", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ExternalCA", "ca_cert", JSON_EMIT_ALWAYS, NULL, NULL},

    {"Node", "description", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Node", "status", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeSpec", "role", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeSpec", "availability", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeStatus", "state", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeDescription", "platform", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeDescription", "resources", JSON_EMIT_ALWAYS, NULL, NULL},
    {"NodeDescription", "engine", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ManagerStatus", "reachability", JSON_EMIT_ALWAYS, NULL, NULL},

    {"Network", "driver_state", JSON_EMIT_ALWAYS, NULL, NULL},
    {"IPAMOptions", "driver", JSON_EMIT_ALWAYS, NULL, NULL},

    {"Service", "endpoint", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ServiceSpec", "task_template", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ServiceSpec", "mode", JSON_EMIT_ALWAYS, NULL, NULL},
    {"PortConfig", "protocol", JSON_EMIT_ALWAYS, NULL, NULL},
    {"PortConfig", "publish_mode", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ReplicatedService", "replicas", JSON_EMIT_PRESENT, NULL, NULL},
    {"ReplicatedJob", "max_concurrent", JSON_EMIT_PRESENT, NULL, NULL},
    {"ReplicatedJob", "total_completions", JSON_EMIT_PRESENT, NULL, NULL},
    {"UpdateConfig", "parallelism", JSON_EMIT_ALWAYS, NULL, NULL},
    {"UpdateConfig", "failure_action", JSON_EMIT_ALWAYS, NULL, NULL},
    {"UpdateConfig", "max_failure_ratio", JSON_EMIT_ALWAYS, NULL, NULL},
    {"UpdateConfig", "order", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ServiceStatus", "running_tasks", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ServiceStatus", "desired_tasks", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ServiceStatus", "completed_tasks", JSON_EMIT_ALWAYS, NULL, NULL},
    {"JobStatus", "job_iteration", JSON_EMIT_ALWAYS, NULL, "swarm.Version"},
    {"JobStatus", "last_execution", JSON_EMIT_ALWAYS, NULL, NULL},

    {"TaskSpec", "force_update", JSON_EMIT_ALWAYS, NULL, NULL},
    {"RestartPolicy", "delay", JSON_EMIT_PRESENT, NULL, DURATION},
    {"RestartPolicy", "max_attempts", JSON_EMIT_PRESENT, NULL, NULL},
    {"RestartPolicy", "window", JSON_EMIT_PRESENT, NULL, DURATION},
    {"ResourceRequirements", "swap_bytes", JSON_EMIT_PRESENT, NULL, NULL},
    {"ResourceRequirements", "memory_swappiness", JSON_EMIT_PRESENT, NULL, NULL},
    {"PlacementPreference", "spread", JSON_EMIT_NULL, NULL, NULL},
    {"SpreadOver", "spread_descriptor", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ContainerSpec", "init", JSON_EMIT_PRESENT, NULL, NULL},
    {"ContainerSpec", "stop_grace_period", JSON_EMIT_PRESENT, NULL, DURATION},
    {"ContainerSpec", "isolation", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Mount", "type", JSON_EMIT_ALWAYS, NULL, NULL},
    {"TmpfsOptions", "mode", JSON_EMIT_NONZERO, NULL, "fs.FileMode"},
    {"FileTarget", "name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"FileTarget", "uid", JSON_EMIT_ALWAYS, NULL, NULL},
    {"FileTarget", "gid", JSON_EMIT_ALWAYS, NULL, NULL},
    {"FileTarget", "mode", JSON_EMIT_ALWAYS, NULL, "fs.FileMode"},
    {"SecretReference", "file", JSON_EMIT_NULL, NULL, NULL},
    {"SecretReference", "secret_id", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SecretReference", "secret_name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ConfigReference", "config_id", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ConfigReference", "config_name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Ulimit", "name", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Ulimit", "hard", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Ulimit", "soft", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Privileges", "credential_spec", JSON_EMIT_NULL, NULL, NULL},
    {"Privileges", "selinux_context", JSON_EMIT_NULL, NULL, NULL},
    {"CredentialSpec", "config", JSON_EMIT_ALWAYS, NULL, NULL},
    {"CredentialSpec", "file", JSON_EMIT_ALWAYS, NULL, NULL},
    {"CredentialSpec", "registry", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SELinuxContext", "disable", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SELinuxContext", "user", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SELinuxContext", "role", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SELinuxContext", "type", JSON_EMIT_ALWAYS, NULL, NULL},
    {"SELinuxContext", "level", JSON_EMIT_ALWAYS, NULL, NULL},
    {"HealthConfig", "retries", JSON_EMIT_NONZERO, NULL, "int"},

    {"Task", "status", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Task", "desired_state", JSON_EMIT_ALWAYS, NULL, NULL},
    {"Task", "slot", JSON_EMIT_NONZERO, NULL, "int"},
    {"Task", "job_iteration", JSON_EMIT_PRESENT, NULL, "swarm.Version"},
    {"TaskStatus", "timestamp", JSON_EMIT_ALWAYS, NULL, NULL},
    {"TaskStatus", "state", JSON_EMIT_ALWAYS, NULL, NULL},
    {"TaskStatus", "port_status", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ContainerStatus", "container_id", JSON_EMIT_ALWAYS, NULL, NULL},
    {"ContainerStatus", "pid", JSON_EMIT_ALWAYS, "PID", "int"},
    {"ContainerStatus", "exit_code", JSON_EMIT_ALWAYS, NULL, "int"},
    {"NetworkAttachment", "network", JSON_EMIT_ALWAYS, NULL, NULL},
    {"VolumeAttachment", "id", JSON_EMIT_NONZERO, NULL, NULL},

    {NULL, "id", JSON_EMIT_ALWAYS, NULL, NULL},
    {NULL, "version", JSON_EMIT_ALWAYS, NULL, "swarm.Version"},
    {NULL, "created_at", JSON_EMIT_ALWAYS, NULL, NULL},
    {NULL, "updated_at", JSON_EMIT_ALWAYS, NULL, NULL},
    {NULL, "labels", JSON_EMIT_ALWAYS, NULL, NULL},
    {NULL, "spec", JSON_EMIT_ALWAYS, NULL, NULL},
    {NULL, "delay", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "monitor", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "interval", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "timeout", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "start_period", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "start_interval", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "heartbeat_period", JSON_EMIT_NONZERO, NULL, DURATION},
    {NULL, "node_cert_expiry", JSON_EMIT_NONZERO, NULL, DURATION},
};

const struct json_rule *json_rule_find(const char *message, const char *field)
{
	static const struct json_rule none = {NULL, NULL, JSON_EMIT_NONZERO, NULL, NULL};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!strcmp(rules[i].field, field) &&
		    (!rules[i].message || !strcmp(rules[i].message, message)))
			return &rules[i];
	}
	return &none;
}

const char *json_rule_word(const char *part, size_t length)
{
	static const char *const words[] = {
	    "ca",   "CA",   "cas", "CAs", "cpus", "CPUs", "dns",     "DNS",     "gid",
	    "GID",  "id",   "ID",  "ip",  "IP",   "ips",  "IPs",     "ipam",    "IPAM",
	    "ipv6", "IPv6", "os",  "OS",  "pid",  "PID",  "selinux", "SELinux", "tls",
	    "TLS",  "tty",  "TTY", "uid", "UID",  "url",  "URL"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i += 2) {
		if (strlen(words[i]) == length && !memcmp(words[i], part, length))
			return words[i + 1];
	}
	return NULL;
}

const char *json_rule_go_message(const char *message)
{
	static const char *const names[] = {
	    "ClusterSpec",
	    "swarm.Spec",
	    "Mount",
	    "mount.Mount",
	    "BindOptions",
	    "mount.BindOptions",
	    "VolumeOptions",
	    "mount.VolumeOptions",
	    "ImageOptions",
	    "mount.ImageOptions",
	    "TmpfsOptions",
	    "mount.TmpfsOptions",
	    "ClusterOptions",
	    "mount.ClusterOptions",
	    "HealthConfig",
	    "container.HealthConfig",
	    "Ulimit",
	    "units.Ulimit",
	    "FileTarget",
	    "swarm.SecretReferenceFileTarget",
	    "RuntimeTarget",
	    "swarm.ConfigReferenceRuntimeTarget",
	    "NamedGenericResource",
	    "swarm.NamedGenericResource",
	    "SwarmInitRequest",
	    "swarm.InitRequest",
	    "SwarmJoinRequest",
	    "swarm.JoinRequest",
	    "SwarmUnlock",
	    "swarm.UnlockRequest",
	    "NetworkReference",
	    "network.ConfigReference",
	    "NetworkIPAM",
	    "network.IPAM",
	    "NetworkIPAMConfig",
	    "network.IPAMConfig",
	    "NetworkCreateRequest",
	    "types.NetworkCreateRequest",
	    "NetworkResource",
	    "types.NetworkResource",
	    "LocalVolume",
	    "volume.Volume",
	    "VolumeCreateRequest",
	    "volume.CreateOptions",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i += 2) {
		if (!strcmp(names[i], message))
			return names[i + 1];
	}
	return NULL;
}

const struct json_enum_rule *json_rule_enum(const char *name)
{
	static const struct json_enum_rule enums[] = {
	    {"fl.NodeSpec.Role", "swarm.NodeRole", "invalid Role: ", 1, 0},
	    {"fl.NodeSpec.Availability", "swarm.NodeAvailability", "invalid Availability: ", 1, 0},
	    {"fl.NodeStatus.State", "swarm.NodeState", "invalid NodeState: ", 1, 0},
	    {"fl.ManagerStatus.Reachability", "swarm.Reachability", "invalid Reachability: ", 1, 0},
	    {"fl.TaskState", "swarm.TaskState", "invalid TaskState: ", 1, 0},
	    {"fl.UpdateStatus.State", "swarm.UpdateState", "invalid UpdateState: ", 1, 1},
	    {"fl.RestartPolicy.Condition", "swarm.RestartPolicyCondition",
	     "invalid RestartCondition: ", 1, 0},
	    {"fl.EndpointSpec.Mode", "swarm.ResolutionMode", "invalid resolution mode: ", 1, 0},
	    {"fl.UpdateConfig.FailureAction", "string", "unrecognized update failure action ", 0,
	     0},
	    {"fl.UpdateConfig.Order", "string", "unrecognized update order ", 0, 0},
	    /* dockerd takes any other word for its default: tcp, ingress, default. */
	    {"fl.PortConfig.Protocol", "swarm.PortConfigProtocol", NULL, 0, 0},
	    {"fl.PortConfig.PublishMode", "swarm.PortConfigPublishMode", NULL, 0, 0},
	    {"fl.ContainerSpec.Isolation", "container.Isolation", NULL, 0, 0},
	    {"fl.Mount.Type", "mount.Type", "invalid MountType: ", 1, 0},
	    {"fl.BindOptions.Propagation", "mount.Propagation", "invalid MountPropagation: ", 1, 0},
	    {"fl.ExternalCA.Protocol", "swarm.ExternalCAProtocol", "invalid protocol: ", 1, 0},
	    {"fl.SeccompOpts.Mode", "swarm.SeccompMode", "unrecognized Seccomp mode: ", 1, 0},
	    {"fl.AppArmorOpts.Mode", "swarm.AppArmorMode", "unrecognized AppArmor mode: ", 1, 0},
	};
	static const struct json_enum_rule other = {NULL, "string", "invalid value: ", 1, 0};

	for (size_t i = 0; i < sizeof(enums) / sizeof(enums[0]); i++) {
		if (!strcmp(enums[i].name, name))
			return &enums[i];
	}
	return &other;
}
