"""The processes: `python -m paired.dashboards visdom ...` and `... tensorboard ...`."""

import argparse
import asyncio
import contextlib
import os
import pathlib

from paired.dashboards import server, tensorboard, visdom, visdom_process


def main(arguments: list[str] | None = None) -> None:
    """Be one of the two servers until the parent process ends."""
    parser = argparse.ArgumentParser(prog="python -m paired.dashboards")
    parser.add_argument("--parent", type=int, default=os.getppid())
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("tensorboard", add_help=False, prefix_chars="\0")
    shown = kinds.add_parser("visdom")
    shown.add_argument("--folder", required=True)
    shown.add_argument("--port", type=int, required=True)
    shown.add_argument("--base-url", default="")
    shown.add_argument("--page", type=pathlib.Path, default=visdom.PAGE)
    options, rest = parser.parse_known_args(arguments)
    server.end_with(options.parent)
    with contextlib.suppress(KeyboardInterrupt):
        if options.kind == "tensorboard":
            tensorboard.serve(rest)
        else:
            given = options.folder, options.port, options.base_url, options.page
            asyncio.run(visdom_process.serve(*given))


if __name__ == "__main__":
    main()
