"""Feeds, sitemaps, lists, JSON records and Markdown."""
