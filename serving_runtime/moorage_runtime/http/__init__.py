"""The inference server: `main` serves what a ServeConfig says until SIGTERM."""

from moorage_runtime.config import ServeConfig


def main(config: ServeConfig) -> int:
    """Serve; the exit code: 0 after a drain, 1 with one line on stderr where the server cannot start."""
    import asyncio
    import sys

    import uvloop

    from moorage_runtime.http.server import Server
    from moorage_runtime.http.sockets import PortTakenError
    from moorage_runtime.models.threads import limit_threads
    from moorage_runtime.streams.base import StreamError

    limit_threads()

    async def serve() -> int:
        return await Server(config, asyncio.get_running_loop()).run()

    try:
        return uvloop.run(serve())
    except (PortTakenError, StreamError) as error:
        print(f"moorage-runtime: {error}", file=sys.stderr)  # noqa: T201
        return 1
