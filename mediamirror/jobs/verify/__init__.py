"""Judges the images that documents name, and stores nothing."""
