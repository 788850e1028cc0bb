"""The mirror and other HTTP caches in front of one origin, each set up as who wants it fast sets it up."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.hit.cache import ROOT, Cache, started
from tests.instruments.peers import PATH, UNPRIVILEGED
from tests.instruments.ports import free_port
from tests.instruments.process import origin_process
from tests.instruments.server import http_mirror, served

NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/log warn;
events {{ worker_connections 8192; }}
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
# Packuments are rewritten: they take another mirror of the same origin.
PACKAGES = """
[mirrors.n]
ecosystem = "npm"
upstream = "http://127.0.0.1:{origin}"
ttl = "1d"
"""


@contextmanager
def mirror(folder: Path, origin: int, workers: int = 1) -> Iterator[Cache]:
    """This project's server with one `http` and one `npm` mirror."""
    config = http_mirror(f"http://127.0.0.1:{origin}") + PACKAGES.format(origin=origin)
    with served(folder, config, workers) as server:
        yield Cache("mirror", server.port, (server.pid,), "/o", "/n")


@contextmanager
def nginx(folder: Path, origin: int, workers: int = 1) -> Iterator[Cache]:
    """One worker, sendfile, kept descriptors and connections, a buffered log."""
    port = free_port()
    text = NGINX.format(folder=folder, origin=origin, port=port, workers=workers)
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-p", str(folder), "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]
    with started(command, port, folder) as pid:
        yield Cache("nginx", port, (pid,))


@contextmanager
def squid(folder: Path, origin: int) -> Iterator[Cache]:
    """Small objects in memory, all on disk, a buffered log."""
    port, config = free_port(), folder / "squid.conf"
    config.write_text(SQUID.format(folder=folder, origin=origin, port=port, user=UNPRIVILEGED))
    if os.getuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    initial = ["squid", "-z", "-N", "-f", str(config)]
    subprocess.run(initial, env={**os.environ, "PATH": PATH}, check=True, capture_output=True)
    with started(["squid", "-N", "-f", str(config)], port, folder) as pid:
        yield Cache("Squid", port, (pid,))


@contextmanager
def varnish(folder: Path, origin: int) -> Iterator[Cache]:
    """All in memory. It has no log of its own: varnishncsa writes one, and is counted."""
    port, state = free_port(), str(folder / "state")
    listen, backend = f"127.0.0.1:{port}", f"127.0.0.1:{origin}"
    kept = ["-p", "thread_pool_min=500"]  # of two pools: enough for all, none ends, and its CPU is not lost with it
    kept += ["-p", "timeout_idle=60"]  # s; as the others: it is 5 by default
    command = ["varnishd", "-F", "-n", state, "-a", listen, "-b", backend, "-s", "malloc,8g", *kept, "-t", "86400"]
    with started(command, port, folder) as pid:
        (folder / "ncsa").mkdir()
        log = ["varnishncsa", "-n", state, "-t", "30", "-w", str(folder / "access")]
        with started(log, 0, folder / "ncsa") as logging:
            yield Cache("Varnish", port, (pid, logging))


@contextmanager
def naive(folder: Path, origin: int) -> Iterator[Cache]:
    """bench/hit/naive.py below uvicorn with its defaults."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.hit.naive:app", "--port", str(port)]
    known = {"NAIVE_ORIGIN": f"http://127.0.0.1:{origin}", "NAIVE_FOLDER": str(folder)}
    with started(command, port, folder, ROOT, **known) as pid:
        yield Cache("naive", port, (pid,))


@contextmanager
def floor(folder: Path, origin: int) -> Iterator[Cache]:
    """bench/hit/floor.py: no cache, but what reading and writing alone cost."""
    port = free_port()
    with started([sys.executable, "-m", "bench.hit.floor", str(port)], port, folder, ROOT) as pid:
        yield Cache("floor", port, (pid,))


MAKERS = {"mirror": mirror, "nginx": nginx, "squid": squid, "varnish": varnish, "naive": naive, "floor": floor}
PROGRAMS = {"nginx": "nginx", "squid": "squid", "varnish": "varnishd"}


@contextmanager
def folders() -> Iterator[Path]:
    """A folder for the caches' own ones, which their unprivileged processes can enter."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def running(names: list[str], origin: int) -> Iterator[list[Cache]]:
    """The caches of these names that are installed, each in a folder of its own."""
    with ExitStack() as stack:
        root, found = stack.enter_context(folders()), []
        for name in names:
            if name in PROGRAMS and shutil.which(PROGRAMS[name], path=PATH) is None:
                print(f"{name}: not installed, left out")
                continue
            (root / name).mkdir()
            found.append(stack.enter_context(MAKERS[name](root / name, origin)))
        yield found


@contextmanager
def pinned(names: list[str], module: str = "tests.instruments.origin") -> Iterator[tuple[int, list[Cache]]]:
    """An origin's port, and caches in front of it: they on the first core, the origin and this process on the last."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # the caches inherit it, and the descriptors
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with origin_process(module=module) as origin:
        os.sched_setaffinity(origin.pid, cores[-1:])
        port = urlsplit(origin.address).port or 80
        with running(names, port) as caches:
            os.sched_setaffinity(0, cores[-1:])
            yield port, caches
