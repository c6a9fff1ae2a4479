"""Large objects in parts of equal size, by boto3 in threads. An upload that fails is aborted: nothing stays behind."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import aiofiles
from botocore.exceptions import BotoCoreError, ClientError

from mediamirror.model import Body
from mediamirror.settings import MiB
from mediamirror.store.base import checked_body

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_MOST_PARTS = 10_000
_PATIENCE = 3.0
"""Seconds that a cancelled upload waits for its parts before it is aborted."""


def part_size_for(size: int, wanted: int) -> int:
    """Return the size of every part but the last, in bytes: ``wanted``, or more in whole MiB for 10,000 parts at most."""
    least = math.ceil(size / _MOST_PARTS)
    return wanted if least <= wanted else math.ceil(least / MiB) * MiB


class MultipartUploads:
    """Uploads to one bucket. ``at_once`` parts, over all uploads together, are in memory at any moment."""

    def __init__(self, client: S3Client, bucket: str, pool: ThreadPoolExecutor, *, at_once: int = 4) -> None:
        self._client = client
        self._bucket = bucket
        self._pool = pool
        self._slots = asyncio.Semaphore(at_once)

    async def upload(self, key: str, body: Body, headers: Mapping[str, Any], *, part_size: int) -> None:
        """Store ``body`` under ``key``. ``headers`` are boto3's arguments of create_multipart_upload.

        Raises botocore's errors, and `ObjectCorrupt` when the bytes are not the body that was promised.
        """
        place: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        creating = self._pool.submit(partial(self._client.create_multipart_upload, **place, **headers))
        started: list[Future[Any]] = [creating]
        try:
            upload = place | {"UploadId": (await asyncio.wrap_future(creating))["UploadId"]}
            sent = await self._send_parts(upload, body, part_size_for(body.size, part_size), started)
            complete = partial(self._client.complete_multipart_upload, **upload, MultipartUpload={"Parts": sent})
            started.append(self._pool.submit(complete))
            await asyncio.wrap_future(started[-1])
        except BaseException:
            await asyncio.shield(self._abort(place, started))
            raise

    async def _send_parts(
        self, upload: dict[str, Any], body: Body, size: int, started: list[Future[Any]]
    ) -> list[CompletedPartTypeDef]:
        """Read part after part, each as soon as there is room for it, and hash them in order on the way."""
        give_back = partial(_call_in, asyncio.get_running_loop(), self._slots.release)
        digest, total = hashlib.sha256(), 0
        parts = _parts(body, size)
        sending: list[Future[CompletedPartTypeDef]] = []
        while (data := await self._next_part(parts)) is not None:
            part = self._pool.submit(self._send_part, upload, len(sending) + 1, data)
            part.add_done_callback(give_back)
            sending.append(part)
            started.append(part)
            await asyncio.to_thread(digest.update, data)
            total += len(data)
            _raise_first(sending)
        checked_body(body, size=total, sha256=digest.hexdigest(), key=upload["Key"])
        return list(await asyncio.gather(*map(asyncio.wrap_future, sending)))

    async def _next_part(self, parts: AsyncIterator[bytes]) -> bytes | None:
        """Take a slot and read a part; without one the slot is given back."""
        await self._slots.acquire()
        data = None
        try:
            data = await anext(parts, None)
        finally:
            if data is None:
                self._slots.release()
        return data

    def _send_part(self, upload: dict[str, Any], number: int, data: bytes) -> CompletedPartTypeDef:
        sent = self._client.upload_part(**upload, PartNumber=number, Body=data)
        return {"ETag": sent["ETag"], "PartNumber": number}

    async def _abort(self, place: dict[str, Any], started: list[Future[Any]]) -> None:
        """Wait for what is under way, then abort: a part that arrives later would bring the upload back."""
        running = [asyncio.wrap_future(future) for future in started if not future.cancel()]
        if running:
            await asyncio.wait(running, timeout=_PATIENCE)
            # Each failure was raised already, or gave way to the one that was.
            _ = [future.cancelled() or future.exception() for future in running if future.done()]
        creating = started[0]
        if creating.done() and not creating.cancelled() and creating.exception() is None:
            abort = partial(self._client.abort_multipart_upload, **place, UploadId=creating.result()["UploadId"])
            with suppress(ClientError, BotoCoreError):
                await asyncio.get_running_loop().run_in_executor(self._pool, abort)


def unfinished(client: S3Client, bucket: str, prefix: str, before: datetime) -> list[tuple[str, str]]:
    """Return key and id of every upload under ``prefix`` that was begun before that moment and not finished. Blocking."""
    found: list[tuple[str, str]] = []
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in page.get("Uploads", []):
                begun = upload.get("Initiated")
                # Not every server minds the prefix.
                if begun is not None and begun < before and upload["Key"].startswith(prefix):
                    found.append((upload["Key"], upload["UploadId"]))
    except ClientError as error:
        # rclone serve s3 says so where there is none.
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
            raise
    return sorted(found)


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], None], _: Future[Any]) -> None:
    """Hand ``call`` from a thread to the loop; a loop that is closed by now needs it no more."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def _raise_first(sending: list[Future[CompletedPartTypeDef]]) -> None:
    """Stop at the first part that failed, and not after the last one was read."""
    for part in sending:
        if part.done():
            part.result()


async def _parts(body: Body, size: int) -> AsyncIterator[bytes]:
    if body.data is not None or body.path is None:
        data = body.data or b""
        for start in range(0, len(data), size):
            yield data[start : start + size]
        return
    async with aiofiles.open(body.path, "rb") as file:
        while part := await file.read(size):
            yield part
