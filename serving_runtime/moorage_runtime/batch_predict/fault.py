"""What ends a worker early."""


class BatchFault(Exception):  # noqa: N818 - a verdict on the job, not a bug
    """The job cannot be done; one line for a person, which names the file, column or model at fault."""


class Stopped(Exception):  # noqa: N818 - asked for
    """SIGTERM came; what is finished is kept, the fragment in hand is given up."""
