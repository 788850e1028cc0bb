"""Other caches, to compare the mirror with: nginx and Squid on loopback ports, all their files in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.instruments.ports import free_port

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # Debian's place for servers is on root's path alone
UNPRIVILEGED = "nobody"

# As one sets it up who wants a cache and reads the manual: no lifetimes of its own, so that the origin's fields count.
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    proxy_cache_path {folder}/cache keys_zone=all:1m max_size=64m inactive=1h use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache all;
            proxy_cache_key $request_uri;
            proxy_cache_revalidate on;
            proxy_cache_lock on;
            proxy_cache_background_update on;
            proxy_cache_use_stale error timeout invalid_header http_500 http_502 http_503 http_504;
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
cache_mem 32 MB
memory_cache_mode always
cache_effective_user {user}
visible_hostname example.com
pid_filename none
access_log none
cache_store_log none
cache_log {folder}/log
coredump_dir {folder}
hosts_file none
dns_nameservers 127.0.0.1
netdb_filename none
pinger_enable off
icp_port 0
max_filedescriptors 1024
shutdown_lifetime 0 seconds
"""


def missing() -> str:
    """What is not installed, or ""."""
    return ", ".join(name for name in ("nginx", "squid") if shutil.which(name, path=PATH) is None)


@contextmanager
def nginx(folder: Path, origin: int) -> Iterator[int]:
    """A caching nginx in front of the port `origin`; yields its own port."""
    port = free_port()
    config = _configured(folder, "nginx.conf", NGINX.format(folder=folder, origin=origin, port=port))
    # -e: the compiled-in error log is opened before the configuration is read.
    command = ["nginx", "-p", str(folder), "-e", str(folder / "log"), "-c", str(config)]
    with running(command, port, folder):
        yield port


@contextmanager
def squid(folder: Path, origin: int) -> Iterator[int]:
    """A Squid in memory, as accelerator of the port `origin`; yields its own port."""
    port = free_port()
    text = SQUID.format(folder=folder, origin=origin, port=port, user=UNPRIVILEGED)
    config = _configured(folder, "squid.conf", text)
    if os.getuid() == 0:  # it leaves root behind, and has to reach its log
        shutil.chown(folder, UNPRIVILEGED)
    with running(["squid", "-N", "-f", str(config)], port, folder):
        yield port


def _configured(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    return folder / name


@contextmanager
def running(command: Sequence[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    """The program in a process of its own, from when it listens at `port`; what it prints is in `folder`/output."""
    executable = shutil.which(command[0], path=PATH)
    assert executable
    env = {**os.environ, **environment}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen([executable, *command[1:]], stdout=output, stderr=output, cwd=folder, env=env)
    try:
        _wait(process, port, folder)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                told = [
                    path.read_text(errors="replace") for path in (folder / "output", folder / "log") if path.exists()
                ]
                raise AssertionError(f"{process.args} did not start:\n{''.join(told)}") from None
            time.sleep(0.01)  # another process: it tells nobody when it is ready, it can only be asked
