"""Where a bucket is and who we are there, as boto3 finds it. Blocking; imported only where it has to be asked."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from mediamirror.errors import StoreRefused
from mediamirror.first_use import dataclass
from mediamirror.scratch import scratch_folder
from mediamirror.settings import StoreOptions
from mediamirror.store.s3.headers import AWS_DOMAINS, DEFAULT_REGION, Connection, Keys, Secrets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class _Found:
    """botocore's credentials, as `Connection` wants them."""

    held: BotoCredentials

    def stale(self) -> bool:
        return isinstance(self.held, RefreshableCredentials) and bool(self.held.refresh_needed())

    def frozen(self) -> Secrets:
        now = self.held.get_frozen_credentials()
        return Keys(now.access_key or "", now.secret_key or "", now.token)


def connect_by_boto3(bucket: str, options: StoreOptions) -> Connection:
    """Find credentials, region and endpoint as the AWS tools do, flags first. Nothing is sent to the bucket.

    Raises `StoreRefused` for an unknown profile, missing credentials or an endpoint that is no URL.
    """
    try:
        return _connect(bucket, options)
    except (BotoCoreError, ValueError, OSError) as error:
        raise StoreRefused(f"The S3 settings for {bucket} can't be used: {error}") from error


def _connect(bucket: str, options: StoreOptions) -> Connection:
    core = _core_session(options)
    region = options.region or core.get_config_variable("region") or DEFAULT_REGION
    credentials = None if options.no_sign_request else core.get_credentials()
    if credentials is None and not options.no_sign_request:
        raise StoreRefused(
            f"No credentials were found for the bucket {bucket}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a "
            "--profile, or give --no-sign-request for a public bucket."
        )
    session = boto3.session.Session(botocore_session=core, region_name=region)
    client = _client(session, options, "path" if options.endpoint_url else "auto")
    aws = (urlsplit(client.meta.endpoint_url).hostname or "").endswith(AWS_DOMAINS)
    if not aws and not options.endpoint_url:
        # The environment or the profile named another server.
        client = _client(session, options, "path")
    return Connection(
        client=lambda: client,
        bucket=bucket,
        base_url=_base_url(client, bucket),
        endpoint=client.meta.endpoint_url,
        region=region,
        aws=aws,
        credentials=_Found(credentials) if credentials else None,
    )


def _core_session(options: StoreOptions) -> botocore.session.Session:
    """A session of our own: boto3's default one is shared and not safe among threads."""
    core = botocore.session.Session(profile=options.profile)
    # Off EC2 the metadata service is an address that hangs; a profile with credential_source still asks it.
    core.get_component("credential_provider").remove("iam-role")
    return core


def _client(session: boto3.session.Session, options: StoreOptions, addressing: str) -> S3Client:
    settings: dict[str, Any] = {
        "s3": {"addressing_style": addressing},
        "signature_version": UNSIGNED if options.no_sign_request else "s3v4",
        # The other value adds trailers that some servers store inside the object.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"mode": "standard", "total_max_attempts": options.retries + 1},
        "connect_timeout": 5,
        "read_timeout": 30,
        "max_pool_connections": 16,
    }
    folder = ExitStack()
    verify = _bundle(options.cacert, folder.enter_context(scratch_folder())) if options.cacert else None
    client = session.client("s3", endpoint_url=options.endpoint_url, verify=verify, config=Config(**settings))
    if verify is not None:
        weakref.finalize(client, folder.close)
    return client


def _bundle(cacert: Path, folder: Path) -> str:
    """Write the usual authorities and those of ``--cacert`` into one file: boto3 takes one instead of the other."""
    try:
        own = Path(cacert).read_bytes()
    except OSError as error:
        raise StoreRefused(f"The certificates in {cacert} can't be read: {error}. Check --cacert.") from error
    usual = Path(get_cert_path(True) or "").read_bytes()
    bundle = folder / "ca.pem"
    bundle.write_bytes(usual + b"\n" + own)
    return str(bundle)


def _base_url(client: S3Client, bucket: str) -> str:
    """Let boto3 say how the bucket is addressed, in the path or in the host name."""
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    return url.partition("?")[0].removesuffix("k")
