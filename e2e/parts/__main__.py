"""`python -m parts`: fetch and build every real part now, so that no test has to wait for it.

A cold build takes minutes (the API server eight of them on two cores); after that the parts lie in the cache.
"""

import os
import sys
import time

from parts import Missing
from parts.apiserver import binaries
from parts.influx import influxd
from parts.kafka import jars
from parts.prometheus import prometheus_program
from parts.s3 import versitygw
from parts.victoria import victoria_metrics

PARTS = {
    "Kubernetes API server and etcd": binaries,
    "Kafka": jars,
    "S3 server": versitygw,
    "VictoriaMetrics": victoria_metrics,
    "Prometheus": prometheus_program,
    "InfluxDB": influxd,
}


def main() -> int:
    """Provide each part; 1 under CI=true where this machine cannot have one."""
    missing = 0
    for name, provide in PARTS.items():
        print(f"{name} …", end=" ", flush=True)
        started = time.monotonic()
        try:
            provide()
        except Missing as reason:
            missing += 1
            print(f"missing: {reason}; its tests will be skipped")
        else:
            print(f"there ({time.monotonic() - started:.0f} s)")
    return int(missing > 0 and os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(main())
