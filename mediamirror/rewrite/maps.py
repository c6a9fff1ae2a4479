"""A mirror as a map of old addresses to new ones, for programs that redirect at the edge. Pure.

| format | for | what it can't say |
|---|---|---|
| csv | people, and `rewrite --map` | |
| json | programs | |
| nginx | ``map`` of the whole request URL | two URLs that differ in case alone |
| apache | ``RewriteMap txt:`` | |
| cloudflare | Bulk Redirects | source URLs with a query string or a port |
"""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import urlsplit

FORMATS = ("csv", "nginx", "cloudflare", "apache", "json")
_NGINX = """\
# In the http block: include this file. In the server blocks of the old hosts: if ($mediamirror) { return 302 $mediamirror; }
# Take the next two lines out where the configuration sets them already.
map_hash_max_size 262144;
map_hash_bucket_size 16384;
map $scheme://$http_host$request_uri $mediamirror {
    default "";
"""
_APACHE = """\
# In the configuration of the old hosts, for this file at /etc/apache2/mediamirror.map:
#   RewriteEngine On
#   RewriteMap mediamirror txt:/etc/apache2/mediamirror.map
#   RewriteCond %{THE_REQUEST} "^[A-Z]+ ([^ ]+)"
#   RewriteCond ${mediamirror:%{REQUEST_SCHEME}://%{HTTP_HOST}%1} (.+)
#   RewriteRule ^ %1 [R=302,L,NE]
"""
_LIMITS = {
    "nginx": "nginx can't tell apart URLs that differ only in case",
    "cloudflare": "Bulk Redirects take no source URL with a query string or a port",
}


class MapWriter:
    """Says what to write: ``head``, then for each pair what `row` returns, then ``tail``. ``limit`` says what can't be said."""

    def __init__(self, format: str) -> None:
        self._format = format
        self._written = 0
        self._seen: set[int] = set()
        self.head = {"csv": "old,new\n", "nginx": _NGINX, "apache": _APACHE, "json": "{"}.get(format, "")
        self.tail = {"nginx": "}\n", "json": "\n}\n"}.get(format, "")
        self.limit = _LIMITS.get(format, "")

    def row(self, old: str, new: str) -> str | None:
        """Return what says that ``old`` is at ``new`` now; None where this format can't."""
        text = self._row(old, new)
        self._written += text is not None
        return text

    def _row(self, old: str, new: str) -> str | None:
        match self._format:
            case "json":
                comma = ",\n  " if self._written else "\n  "
                return f"{comma}{json.dumps(old)}: {json.dumps(new)}"
            case "apache":
                return f"{old} {new}\n"
            case "nginx":
                return self._nginx(old, new)
            case "cloudflare":
                has_more = "?" in old or urlsplit(old).port is not None
                return None if has_more else _csv(old, new, "302", "false")
            case _:
                return _csv(old, new)

    def _nginx(self, old: str, new: str) -> str | None:
        # nginx compares strings without regard to case, and refuses a map in which two are then the same.
        folded = hash(old.lower())
        if folded in self._seen:
            return None
        self._seen.add(folded)
        escaped = old.replace("\\", "\\\\").replace('"', '\\"')
        return f'    "{escaped}" "{new.replace("$", "%24")}";\n'


def _csv(*fields: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue()
