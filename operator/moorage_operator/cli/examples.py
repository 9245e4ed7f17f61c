"""The end of a command's help."""


def examples(*lines: str) -> str:
    """An epilog that shows the lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
