"""The mirror and other HTTP caches in front of one origin, each with its process tree's CPU and memory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.instruments.peers import PATH, UNPRIVILEGED, free_port
from tests.instruments.server import Served, http_mirror

# As who wants it fast sets it up: one worker, sendfile, kept descriptors and connections, a buffered log.
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/log warn;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access combined buffer=64k flush=1s;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    open_file_cache max=10000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=all:16m max_size=8g inactive=1h use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache all;
            proxy_cache_key $request_uri;
            proxy_cache_lock on;
            proxy_cache_revalidate on;
            proxy_buffers 16 64k;
            proxy_max_temp_file_size 0;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""
SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=example.com no-vhost
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest no-netdb-exchange originserver name=origin
never_direct allow all
http_access allow all
cache_mem 256 MB
maximum_object_size_in_memory 32 MB
maximum_object_size 2 GB
cache_dir ufs {folder}/cache 8000 16 256
cache_effective_user {user}
visible_hostname example.com
pid_filename {folder}/pid
access_log stdio:{folder}/access
buffered_logs on
cache_store_log none
cache_log {folder}/log
coredump_dir {folder}
hosts_file none
dns_nameservers 127.0.0.1
netdb_filename none
pinger_enable off
icp_port 0
max_filedescriptors 4096
shutdown_lifetime 0 seconds
"""


@dataclass(frozen=True)
class Cache:
    """A running cache; `path` is before every target."""

    name: str
    port: int
    pid: int
    path: str = ""

    def cpu(self) -> float:
        """Seconds of user and system time of the whole process tree so far."""
        return sum(_times(pid) for pid in _tree(self.pid))

    def memory(self) -> int:
        """Resident bytes of the whole process tree, shared ones counted once for each process."""
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in _tree(self.pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for known in found:
        for task in Path(f"/proc/{known}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _times(pid: int) -> float:
    """From the scheduler's own account (nanoseconds), summed over threads: ticks would be too coarse."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextmanager
def mirror(folder: Path, origin: int) -> Iterator[Cache]:
    """This project's server with one `http` mirror."""
    server = Served(folder, http_mirror(f"http://127.0.0.1:{origin}"))
    server.start()
    try:
        yield Cache("mirror", server.port, server.pid, "/o")
    finally:
        server.stop()


@contextmanager
def nginx(folder: Path, origin: int) -> Iterator[Cache]:
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, origin=origin, port=port))
    command = ["nginx", "-p", str(folder), "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]
    with _running(command, port, folder) as pid:
        yield Cache("nginx", port, pid)


@contextmanager
def squid(folder: Path, origin: int) -> Iterator[Cache]:
    port = free_port()
    text = SQUID.format(folder=folder, origin=origin, port=port, user=UNPRIVILEGED)
    (folder / "squid.conf").write_text(text)
    if os.getuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    subprocess.run(["squid", "-z", "-N", "-f", str(folder / "squid.conf")], env=_env(), check=True, capture_output=True)
    with _running(["squid", "-N", "-f", str(folder / "squid.conf")], port, folder) as pid:
        yield Cache("Squid", port, pid)


@contextmanager
def varnish(folder: Path, origin: int) -> Iterator[Cache]:
    port = free_port()
    listen, backend = f"127.0.0.1:{port}", f"127.0.0.1:{origin}"
    storage = ["-s", "default,1g", "-p", "thread_pool_min=50", "-t", "86400"]
    command = ["varnishd", "-F", "-n", str(folder / "state"), "-a", listen, "-b", backend, *storage]
    with _running(command, port, folder) as pid:
        yield Cache("Varnish", port, pid)


MAKERS = {"mirror": mirror, "nginx": nginx, "squid": squid, "varnish": varnish}
PROGRAMS = {"nginx": "nginx", "squid": "squid", "varnish": "varnishd"}


@contextmanager
def running(names: list[str], origin: int) -> Iterator[list[Cache]]:
    """The caches of these names that are installed, each in a folder of its own."""
    with ExitStack() as stack:
        root = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="mirror-bench-", ignore_cleanup_errors=True))
        )
        root.chmod(0o755)
        found = []
        for name in names:
            if name in PROGRAMS and shutil.which(PROGRAMS[name], path=PATH) is None:
                print(f"{name}: not installed, left out")
                continue
            (root / name).mkdir()
            found.append(stack.enter_context(MAKERS[name](root / name, origin)))
        yield found


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[int]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=_env())
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((folder / "output").read_text()) from None
                time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _env() -> dict[str, str]:
    return {**os.environ, "PATH": PATH}
