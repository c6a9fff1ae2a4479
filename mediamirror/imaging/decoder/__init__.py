"""The worker processes that decode, and their sandbox."""
