"""The decoder process: reads jobs from stdin, decodes, answers on stdout. Started by ``python -m``.

It loads what it needs, then enters its sandbox before it sees the first byte of an image. It ends when stdin does: when the
pool closes, or the program that held it dies.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from mediamirror.errors import ImageError, ImageUndecodable, NotAnImage
from mediamirror.imaging.decoder import sandbox
from mediamirror.imaging.decoder.protocol import (
    OUT_OF_MEMORY,
    PREFIX,
    Limits,
    Wish,
    frame,
    look_head,
    parse_settings,
    wish_of,
)
from mediamirror.settings import CheckOptions


def main() -> None:
    """Serve jobs until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started us; it will close stdin.
    options, limits = parse_settings(sys.argv[1])
    from mediamirror.imaging.decoder import pixels  # noqa: PLC0415 - Pillow is loaded in this process only

    pixels.configure(options)
    samples = pixels.samples(options)
    jobs, replies = _take_pipes()
    files = _take_files(int(sys.argv[2]))
    entered = sandbox.enter(limits, files=files.fileno(), syscalls=options.sandbox)
    try:
        _send(replies, _ready(entered, pixels.differing(samples, options)))
        while (job := _receive(jobs, files)) is not None:
            _allow_cpu(limits)
            _send(replies, *_answer(*job, options))
            del job  # A file must be closed before the next one arrives.
    except BrokenPipeError:
        pass
    os._exit(0)  # No teardown: nothing here is worth the milliseconds or the surprises.


def _ready(entered: sandbox.Sandbox, differing: list[str]) -> dict[str, Any]:
    if differing:
        return {"ready": False, "message": f"inside its sandbox it can't decode {' or '.join(differing)}"}
    return {"ready": True, "sandbox": asdict(entered)}


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to ourselves, so that nothing a codec prints can get between the frames."""
    jobs, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    return jobs, replies


def _take_files(descriptor: int) -> socket.socket:
    """The socket on which spooled files arrive, open. Its kind is told, so that nothing has to be asked about it."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor)


def _allow_cpu(limits: Limits) -> None:
    """Grant the CPU time of one more job. The kernel ends the process (SIGXCPU) when it is used up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + limits.cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _receive(jobs: BinaryIO, files: socket.socket) -> tuple[bytes | BinaryIO, Wish] | None:
    """The next image, or its open file, and what is asked about it; None at the end of stdin."""
    prefix = jobs.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    head_size, body_size = PREFIX.unpack(prefix)
    head, body = json.loads(jobs.read(head_size) or "{}"), jobs.read(body_size)
    if len(body) < body_size:
        return None
    if head.get("file") is True:
        descriptors = socket.recv_fds(files, 1, 1)[1]
        return (os.fdopen(descriptors[0], "rb"), wish_of(head)) if descriptors else None
    return body, wish_of(head)


def _send(replies: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    replies.write(frame(head, len(body)) + body)
    replies.flush()


def _answer(image: bytes | BinaryIO, wish: Wish, options: CheckOptions) -> tuple[dict[str, Any], bytes]:
    from mediamirror.imaging.decoder import pixels  # noqa: PLC0415 - loaded by main before

    try:
        if isinstance(image, bytes):
            seen = pixels.decode(image, options, wish)
        else:
            with image as file:
                seen = pixels.decode(file, options, wish)
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
