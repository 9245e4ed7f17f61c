"""The protocols of the traffic port, one file each: request bytes to rows, outputs to reply bytes."""
