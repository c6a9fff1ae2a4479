"""Runs shards of a job."""
