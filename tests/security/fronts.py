"""nginx and HAProxy in front of a server, on loopback ports: they hand requests on over connections that they keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.instruments.peers import PATH, running
from tests.instruments.ports import free_port

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
    upstream mirror {{ server 127.0.0.1:{server}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mirror;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_next_upstream off;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_set_header X-Front $request_id;
        }}
    }}
}}
"""

HAPROXY = """
global
    maxconn 200
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
    retries 0
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    http-request set-header X-Front %[uuid()]
    http-request set-header Host localhost
    default_backend mirror
backend mirror
    server mirror 127.0.0.1:{server} pool-max-conn 1
"""


def lacking(name: str) -> str:
    """Why tests with this front are skipped, or ""."""
    return "" if shutil.which(name, path=PATH) else f"{name} is not installed"


@contextmanager
def front(name: str, folder: Path, server: int) -> Iterator[int]:
    """That server in front of the port `server`; yields its own port."""
    port = free_port()
    folder.mkdir(parents=True)
    text = {"nginx": NGINX, "haproxy": HAPROXY}[name].format(folder=folder, server=server, port=port)
    config = folder / "config"
    config.write_text(text)
    command = {
        "nginx": ["nginx", "-p", str(folder), "-e", str(folder / "log"), "-c"],
        "haproxy": ["haproxy", "-db", "-f"],
    }
    with running([*command[name], str(config)], port, folder):
        yield port
