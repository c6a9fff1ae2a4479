"""Fuzzing of everything that reads what strangers wrote: ``python -m fuzz.run --seconds 60``."""
