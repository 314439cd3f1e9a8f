"""TensorBoard and Visdom as a notebook needs them: on this machine only, and gone with the kernel.

    with dashboards.TensorBoard(logdir) as board:   # its address is board.url
        ...
    with dashboards.Visdom(folder) as server:
        vis = server.client(env="digits")           # a visdom.Visdom
        vis.line([0.5], [1], win="loss", update="append")

Each server is a process of its own that listens on 127.0.0.1. It ends with `stop`, with the `with`
block, and with the process that started it, however that one ends. TensorBoard runs without
TensorFlow and Visdom without PyTorch: they only draw, and start in less than a second.

`server` is what both have in common, `tensorboard` and `visdom` are what each has of its own. The
processes are `python -m paired.dashboards visdom ...` and `... tensorboard ...`.
"""

from paired import course
from paired.dashboards.server import DashboardError as DashboardError
from paired.dashboards.tensorboard import TensorBoard as TensorBoard
from paired.dashboards.tensorboard import set_up_magic as set_up_magic
from paired.dashboards.visdom import Visdom as Visdom
from paired.dashboards.visdom import missing_page as missing_page
from paired.dashboards.visdom import press as press

# Where the lessons leave their runs, and what the tiles of JupyterLab show.
RECORDS = course.HOME / ".records" / "dashboards"
