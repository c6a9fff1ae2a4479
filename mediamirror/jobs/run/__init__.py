"""How any job runs: its inputs, lanes, work list, locks, manifest and tally."""
