"""Local mode: the planned objects of a cluster, carried out as processes of this machine."""

from pathlib import Path


def up(
    state: Path,
    manifests: list[Path],
    *,
    kafka: str | None = None,
    object_store: str | None = None,
    namespace: str | None = None,
) -> int:
    """Run everything in the foreground until SIGINT or SIGTERM; the exit code of `moorage up`.

    `kafka` (HOST:PORT[,HOST:PORT]) and `object_store` (http(s) endpoint of an S3 server, folder or file:///
    URI) take the place of the folders in `state`. 1 where another `moorage up` has the state folder, or a
    path of `manifests` does not exist; an invalid manifest is said and leaves the rest alone.
    """
    from moorage_operator.local.foreground import run
    from moorage_operator.local.settings import Settings

    return run(
        state,
        manifests,
        kafka=kafka,
        object_store=object_store,
        namespace=namespace,
        settings=Settings(),
    )
