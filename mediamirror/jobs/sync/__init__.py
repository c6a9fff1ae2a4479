"""Makes one place hold what another holds, or compares the two."""
