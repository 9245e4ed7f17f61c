"""`python -m parts`: fetch and build every real part now, so that the tests start at once."""

import sys
import time

from parts import Missing
from parts.apiserver import binaries
from parts.kafka import jars
from parts.s3 import versitygw

PARTS = {"Kubernetes API server and etcd": binaries, "Kafka": jars, "S3 server": versitygw}


def main() -> int:
    """Fetch each part; 1 where this machine cannot have one."""
    missing = 0
    for name, provide in PARTS.items():
        print(f"{name} …", flush=True)
        started = time.monotonic()
        try:
            where = provide()
        except Missing as reason:
            missing += 1
            print(f"  missing: {reason}")
        else:
            print(f"  {where} ({time.monotonic() - started:.0f} s)")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
