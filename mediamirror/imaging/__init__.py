"""Bytes to facts. The only owner of Pillow, and Pillow only in worker processes."""
