# SPDX-License-Identifier: BSD-2-Clause
"""The OCI bundle of a task: config.json, and what its image wants to be given."""
import json
import resource

# As many open files as may be had: raising the hard limit needs CAP_SYS_RESOURCE.
FILES_MAX = min(131072, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_ADMIN",
                "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID"]

NGINX_CONF = """daemon off;
user root;
worker_processes 1;
pid /data/nginx.pid;
error_log /data/error.log warn;
events {{ worker_connections 65536; }}
http {{
    include /etc/mime.types;
    default_type text/plain;
    log_format lab '$remote_addr $remote_port $request_method $uri $status $bytes_sent';
    access_log {access_log};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path /data/body;
    proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server {{
{listen}
        root /static;
        location = / {{ return 200 "{name}\\n"; }}
        location = /whoami {{
            return 200 "{name} $remote_addr:$remote_port $server_addr:$server_port\\n"; }}
        location /slow/ {{ alias /static/; limit_rate 2m; }}
        location /upload/ {{ root /data; dav_methods PUT DELETE; create_full_put_path on; }}
    }}
}}
"""


def nginx(task):
    """nginx that answers / with the task's name. Its files are under task.folder/data."""
    listen = "\n".join(f"        listen {port} reuseport backlog=65535;" for port in task.ports)
    (task.folder / "nginx.conf").write_text(NGINX_CONF.format(
        name=task.name, listen=listen,
        access_log="/data/access.log lab" if task.access_log else "off"))
    return ["/usr/sbin/nginx", "-e", "/data/error.log", "-c", "/etc/nginx/nginx.conf"]


def udpecho(task):
    return ["/bin/udpecho", task.name, str(task.ports[0])]


IMAGES = {"nginx": (nginx, (80,)), "udpecho": (udpecho, (80,))}


def write(task, command):
    """Writes config.json into the task's folder."""
    lab, host = task.host.lab, task.host
    bind = ["bind", "nosuid", "nodev"]
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]},
        {"destination": "/data", "type": "bind", "source": str(task.folder / "data"), "options": bind},
        {"destination": "/static", "type": "bind", "source": str(lab.static),
         "options": [*bind, "ro"]},
    ]
    if (task.folder / "nginx.conf").exists():
        mounts.append({"destination": "/etc/nginx", "type": "bind", "source": str(task.folder),
                       "options": [*bind, "ro"]})
    config = {
        "ociVersion": "1.0.2",
        "hostname": task.name,
        "root": {"path": str(lab.tools / "rootfs"), "readonly": True},
        "process": {
            "terminal": False, "cwd": "/", "user": {"uid": 0, "gid": 0}, "args": command,
            "env": ["PATH=/bin:/usr/sbin", f"TASK={task.name}"],
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": FILES_MAX, "hard": FILES_MAX}],
        },
        "mounts": mounts,
        "linux": {
            "cgroupsPath": f"/{lab.name}/{host.name}/{task.name}",
            "namespaces": [{"type": kind} for kind in ("mount", "pid", "uts", "ipc")]
            + [{"type": "network", "path": task.netns}],
            "resources": {"memory": {"limit": task.memory_bytes}},
        },
    }
    (task.folder / "config.json").write_text(json.dumps(config, indent=1))
