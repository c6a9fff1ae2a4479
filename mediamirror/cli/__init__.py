"""Parses the command line, calls a job, prints, exits."""
