"""Web archives: records, their index, reading and writing."""
