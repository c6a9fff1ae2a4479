"""Kill real runs at every moment that can be named, restart them, and compare with a run that nobody disturbed.

``python -m torture`` or ``make torture``; docs/measurements/kills.md says what it shows. Linux only: strace does the killing.
"""
