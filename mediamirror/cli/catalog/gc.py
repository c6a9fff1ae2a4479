def command() -> None:
    """Later."""
