"""nginx on a free port of 127.0.0.1, serving a directory; installed by apt where that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.installed import installed
from fixtures.servers.web import running_web

LINES = """
types { image/webp webp; }
sendfile on;
tcp_nopush on;
keepalive_requests 1000000;
# The same files under other names, so that 20,000 URLs need no more room than 2,000.
rewrite ^/copy-[0-9]+/(.*)$ /$1 last;
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
    ensure_nginx()
    work.mkdir(parents=True, exist_ok=True)
    with running_web("nginx", LINES, root, work) as url:
        yield url
