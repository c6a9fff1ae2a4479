"""Style sheets to image sets."""
