"""Is it the model that was meant, and was it the same one from the first record to the last?"""

from moorage_runtime.config import ProbeResult
from moorage_runtime.live_test.answers import error_text
from moorage_runtime.live_test.client import Client, Reply, Unanswered, public_url
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.tensors import Served, served


async def look(client: Client, patience: float) -> Served:
    """What the server says of the model, once it is ready. Raises TestFault where it is not, or not there.

    A server that has no metadata endpoint is tested all the same, with generic tensors.
    """
    where = public_url(client.base)
    try:
        ready = await client.send_patiently(f"{client.model_path}/ready", patience)
        if ready.status == 404:
            there = await _models(client)
            raise TestFault(f"{where} has no model {client.model!r}{there}")
        if ready.status in (401, 403):
            raise TestFault(f"{where} refuses the test's credentials (HTTP {ready.status})")
        if ready.status != 200 or ready.document().get("ready") is False:
            raise TestFault(f"model {client.model!r} at {where} is not ready: {_words(ready)}")
        metadata = await client.send("GET", client.model_path)
    except Unanswered as error:
        raise TestFault(f"{where} cannot be reached: {error}") from error
    if metadata.status != 200:
        return Served()
    try:
        return served(metadata.document())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TestFault(
            f"the metadata of model {client.model!r} at {where} cannot be read: {error!r}"
        ) from error


def compare(before: Served, after: Served, expected_digest: str | None) -> list[ProbeResult]:
    """`digest` where one is expected, and `unchanged`: version, digest and revision are as before the run."""
    probes = []
    if expected_digest is not None:
        wanted = expected_digest.removeprefix("sha256:").lower()
        seen = [model.digest for model in (before, after)]
        wrong = next(
            (digest for digest in seen if (digest or "").removeprefix("sha256:").lower() != wanted), wanted
        )
        message = f"the live model has {wanted}"
        if wrong is None:
            message = f"the server reports no digest; expected {wanted}"
        elif wrong != wanted:
            message = f"the live model has {wrong}, expected {wanted}"
        probes.append(ProbeResult(name="digest", passed=wrong == wanted, message=message))
    changed = [
        f"{what} was {was}, is {after.identity[what]}"
        for what, was in before.identity.items()
        if was != after.identity[what]
    ]
    same = "version, digest and revision are as before the run"
    probes.append(ProbeResult(name="unchanged", passed=not changed, message="; ".join(changed) or same))
    return probes


async def _models(client: Client) -> str:
    reply = await client.send("GET", "/v2/models")
    names = reply.document().get("models")
    return f"; it has: {', '.join(map(str, names))}" if isinstance(names, list) and names else ""


def _words(reply: Reply) -> str:
    document = reply.document()
    said = error_text(reply.body) or document.get("reason") or document.get("message")
    return f"{said} (HTTP {reply.status})" if said else f"HTTP {reply.status}"
