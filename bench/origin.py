"""nginx on a free port of 127.0.0.1, serving a directory; installed by apt where that is possible."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.installed import installed
from fixtures.servers.endpoint import answers
from fixtures.servers.ports import free_ports
from fixtures.servers.process import running

CONFIG = """
{user}
daemon off;
worker_processes 1;
pid "{work}/nginx.pid";
error_log "{work}/error.log" warn;
events {{ worker_connections 1024; }}
http {{
    types {{ image/webp webp; }}
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path "{work}/body";
    proxy_temp_path "{work}/proxy";
    fastcgi_temp_path "{work}/fastcgi";
    uwsgi_temp_path "{work}/uwsgi";
    scgi_temp_path "{work}/scgi";
    server {{
        listen 127.0.0.1:{port};
        root "{root}";
        # The same files under other names, so that 20,000 URLs need no more room than 2,000.
        rewrite ^/copy-[0-9]+/(.*)$ /$1 last;
    }}
}}
"""


class NoNginx(RuntimeError):
    """nginx is not there and can't be installed from here."""


def ensure_nginx() -> str:
    """Return the path of nginx; install it with apt when it is absent and we are root."""
    found = installed("nginx", package="nginx-light")
    if found is None:
        raise NoNginx(
            "The benchmark needs nginx, and there is none. Install it (apt-get install nginx-light) and repeat."
        )
    return found


@contextmanager
def running_nginx(root: Path, work: Path) -> Iterator[str]:
    """Serve ``root`` over http until the block ends; yields the URL, without a final slash. Files of its own go to ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    # As root, nginx would hand its worker to a user who can't enter our directory.
    user = "user root;" if os.geteuid() == 0 else ""
    config = work / "nginx.conf"
    config.write_text(CONFIG.format(user=user, work=work, port=port, root=root))
    url = f"http://127.0.0.1:{port}"
    command = [ensure_nginx(), "-p", str(work), "-e", str(work / "error.log"), "-c", str(config)]
    with running(command, ready=lambda: answers(url), log=work / "nginx.log"):
        yield url
