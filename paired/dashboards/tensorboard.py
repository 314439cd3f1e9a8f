"""TensorBoard on a folder, or by its magic; its process does without TensorFlow."""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

from paired import course, events, ports
from paired.dashboards.server import Server, say_ready

_MAGIC = course.ROOT / "env" / "jupyter" / "tensorboard"


class TensorBoard(Server):
    """TensorBoard on a folder of event files.

    Args:
        logdir: the folder; it is made if it is not there.
        port: None for the first free one from 6006 on.
        reload_seconds: how often it looks for new data.
    """

    name = "TensorBoard"
    first_port = 6006

    def __init__(
        self, logdir: str | os.PathLike, port: int | None = None, reload_seconds: float = 5
    ) -> None:
        super().__init__(logdir, port)
        self.reload_seconds = reload_seconds

    def _arguments(self, port: int) -> list[str]:
        options = {"logdir": self.folder, "host": ports.ADDRESS, "port": port}
        options["reload_interval"] = self.reload_seconds
        return ["tensorboard", *(str(a) for k, v in options.items() for a in (f"--{k}", v))]


def set_up_magic() -> None:
    """Let `%tensorboard` start a server that ends with the kernel, and PyTorch write without noise.

    TensorBoard's magic runs the program that TENSORBOARD_BINARY names, or the first `tensorboard`
    on the PATH, which need not be this environment's, and nothing ends it. It also takes a server
    that was killed for one that runs; what such servers have left behind is removed here.

    PyTorch's `SummaryWriter` then writes without TensorFlow, as after `events.keep_tensorflow_out`.
    """
    events.keep_tensorflow_out()
    os.environ["TENSORBOARD_BINARY"] = str(_MAGIC)
    os.environ["PAIRED_PYTHON"] = sys.executable
    for file in pathlib.Path(tempfile.gettempdir(), ".tensorboard-info").glob("pid-*.info"):
        with contextlib.suppress(OSError, ValueError):
            # Its number may belong to another program by now, so the port is asked.
            if ports.occupant(json.loads(file.read_text()).get("port", 0)) != "TensorBoard":
                file.unlink()


def serve(arguments: list[str]) -> None:
    """Be TensorBoard, without TensorFlow."""
    events.keep_tensorflow_out()
    from tensorboard import main, program

    class Announced(program.TensorBoard):
        def _register_info(self, server: Any) -> None:
            super()._register_info(server)
            say_ready("TensorBoard")

    program.TensorBoard = Announced
    sys.argv = ["tensorboard", *arguments]
    main.run_main()
