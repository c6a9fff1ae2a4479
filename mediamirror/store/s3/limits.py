"""Limits of S3 that others plan with, importable without boto3."""

MOST_COPIED = 5 * 1024**3
"""Largest object that one copy request takes, in bytes."""
