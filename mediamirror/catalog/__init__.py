"""What came from where, and where it lies now: SQLite, one writer."""
