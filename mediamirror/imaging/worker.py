"""The decoder process: reads jobs from stdin, decodes, answers on stdout. Started as ``python -m mediamirror.imaging.worker``.

It limits itself before it sees the first byte of an image, and ends when stdin does: when the pool closes, or the program
that held it dies.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from mediamirror.errors import ImageError, ImageUndecodable, NotAnImage
from mediamirror.imaging.protocol import OUT_OF_MEMORY, PREFIX, Limits, Wish, frame, look_head, parse_settings, wish_of
from mediamirror.settings import CheckOptions

if sys.platform != "win32":
    import resource


def main() -> None:
    """Serve jobs until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started us; it will close stdin.
    options, limits = parse_settings(sys.argv[1])
    from mediamirror.imaging import pixels  # noqa: PLC0415 - Pillow is loaded in this process only

    pixels.configure(options)
    jobs, replies = _take_pipes()
    _restrict(limits)
    try:
        _send(replies, {"ready": True})
        while (job := _receive(jobs)) is not None:
            _allow_cpu(limits)
            _send(replies, *_answer(*job, options))
    except BrokenPipeError:
        pass
    os._exit(0)  # No teardown: nothing here is worth the milliseconds or the surprises.


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to ourselves, so that nothing a codec prints can get between the frames."""
    jobs, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return jobs, replies


def _restrict(limits: Limits) -> None:
    """No more memory than agreed, no files written, no core dumps."""
    if sys.platform == "win32":
        return
    for what, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _allow_cpu(limits: Limits) -> None:
    """Grant the CPU time of one more job. The kernel ends the process (SIGXCPU) when it is used up."""
    if sys.platform == "win32":
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + limits.cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _receive(jobs: BinaryIO) -> tuple[bytes | str, Wish] | None:
    """The next image, or the path of its file, and what is asked about it; None at the end of stdin."""
    prefix = jobs.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    head_size, body_size = PREFIX.unpack(prefix)
    head, body = json.loads(jobs.read(head_size) or "{}"), jobs.read(body_size)
    if len(body) < body_size:
        return None
    path = head.get("path")
    return path if isinstance(path, str) else body, wish_of(head)


def _send(replies: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    replies.write(frame(head, len(body)) + body)
    replies.flush()


def _answer(image: bytes | str, wish: Wish, options: CheckOptions) -> tuple[dict[str, Any], bytes]:
    from mediamirror.imaging import pixels  # noqa: PLC0415 - loaded by main before

    try:
        seen = pixels.decode(image, options, wish)
    except ImageError as error:
        kind = error.kind if isinstance(error, NotAnImage) else None
        return {"error": error.code, "message": error.message, "kind": kind}, b""
    except OSError as error:
        message = f"The spooled file can't be read back ({error.strerror})."
        return {"error": ImageUndecodable.code, "message": message}, b""
    except MemoryError:
        return {"error": OUT_OF_MEMORY, "message": ""}, b""
    look, body = look_head(seen.look) if seen.look else (None, b"")
    return {"facts": asdict(seen.facts), "look": look}, body


if __name__ == "__main__":
    main()
