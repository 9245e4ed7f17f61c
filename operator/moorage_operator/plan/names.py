"""Names of children: deterministic, legal for Kubernetes, and different for different inputs.

A child is read by its name alone, so the name must follow from the resource. Where an input does not fit
into a DNS label it is shortened and gets a hash of the whole, so that two inputs never share a name.
"""

import hashlib
import json
import re
from typing import Any

LABEL_LENGTH = 63
"""A DNS label: the bound of Service names, volume names and label values."""
CRON_JOB_LENGTH = 52
"""The controller appends 11 characters to a CronJob's name to name its Jobs."""
_HASH_LENGTH = 10
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def fingerprint(value: Any) -> str:
    """10 hex digits that depend on the JSON content of `value` alone, not on the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_HASH_LENGTH]


def child(*parts: str, length: int = LABEL_LENGTH) -> str:
    """The parts joined by dashes: a DNS label that starts with a letter, at most `length` characters long."""
    joined = "-".join(parts)
    if len(joined) <= length and _DNS_LABEL.fullmatch(joined):
        return joined
    plain = re.sub(r"[^a-z0-9]+", "-", joined.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"x-{plain}"
    head = plain[: length - _HASH_LENGTH - 1].rstrip("-")
    return f"{head}-{fingerprint(joined)}"


def label_value(text: str) -> str:
    """`text` where it is a legal label value, otherwise a name made of it."""
    return text if _LABEL_VALUE.fullmatch(text) else child(text)
