"""Takes metadata out of a file without touching a pixel."""
