"""Text to image sets. Pure: no I/O, no clock, no logging."""
