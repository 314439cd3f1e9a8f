"""A forked kernel is a kernel like any other, sooner; without its parent nothing is lost."""

import contextlib
import json
import os
import re
import signal
import sys
import time

from paired import course
from paired.authors import kernels, validation

import pytest
from conftest import kernel, said

pytestmark = [
    pytest.mark.xdist_group("kernels"),
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only"),
]


@pytest.fixture(scope="module")
def parent():
    """What ends the process that these tests fork from; its imports are shared by all of them."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def folder(parent):
    return parent.enter_context(kernels.forking(course.FRAMEWORKS))


def ends(pid: int, seconds: float = 10) -> bool:
    """Whether a process is gone, or a zombie, before the time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


IMPORT = {
    "pytorch": "import paired\nimport torch as framework",
    "tensorflow": """import paired
from paired.imports import quiet_import
with quiet_import():
    import tensorflow as framework""",
}
# What a kernel could do otherwise because the imports came before there was a shell, or happened in
# another folder: figures, what is said by C, loggers, warnings and the framework, and the settings.
CELLS = (
    "%xmode Minimal\nimport logging, os, sys, warnings",
    "import matplotlib, numpy as np\nimport matplotlib.pyplot as plt",
    "plt.plot([1, 2])\nplt.show()",
    "plt.plot([1, 3])",
    "figure, axis = plt.subplots()\naxis.plot([1, 2])\nplt.figure()\nplt.plot([3, 1])",
    "figure",
    "display(figure)\nfigure.show()",
    "matplotlib.figure.Figure()",
    "plt.figure()\nprint('empty')",
    "plt.get_fignums()",
    "plt.ioff()\nplt.plot([1, 2]);",
    "plt.plot([2, 1])\nprint(plt.get_fignums())",
    "plt.show()\nplt.ion();",
    "plt.plot([3, 2])\nplt.savefig('saved.png')\nplt.close()\nos.path.getsize('saved.png')",
    "plt.title(r'$\\frac{1}{$')\nplt.show()",
    "plt.close('all')\nplt.title(r'$\\frac{1}{$')",
    "plt.close('all')",
    "with plt.rc_context({'text.usetex': True}):\n    plt.title('LaTeX')\n    plt.show()",
    "plt.close('all')",
    "%matplotlib inline\n%config InlineBackend.figure_formats",
    "plt.plot([1, 2]);",
    "sorted(matplotlib.rcParams.items())",
    "warnings.warn('careful')",
    "warnings.warn('old', DeprecationWarning)",
    "np.array([1.0]) / 0",
    "os.system('echo from C')\nos.write(2, b'from C')",
    "print('red', file=sys.stderr)",
    "logging.warning('root')\nlogging.info('unheard')\nlogging.getLogger('mine').error('mine')",
    """for name in ("absl", "matplotlib", "tensorflow", "torch", "torch._dynamo"):
    logging.getLogger(name).warning(name)
    logging.getLogger(name).info("less")""",
    "framework.print('at once', [1, 2])",
    "framework.print('there', output_stream=sys.stdout)",
    "framework.autograph.set_verbosity(1)\nframework.autograph.trace('traced')",
    "framework.zeros(2) + framework.ones(3)",
    "input('? ')",
    "breakpoint()",
    "%%bash\necho from bash; exit 1",
    "%no_such_magic",
    "1 / 0",
    "os.getcwd(), sys.path, sys.ps1, __name__",
    "import threading\n[type(thread) for thread in threading.enumerate()]",
)  # fmt: skip


def messages(running, code) -> list[tuple[str, str]]:
    """What a cell gives, message by message, but for what two kernels cannot have in common."""
    given = []

    def keep(message):
        kind, content = message["msg_type"], message["content"]
        content.pop("traceback", None)
        if kind == "stream" and given and given[-1][:2] == (kind, content["name"]):
            content["text"] = given.pop()[2]["text"] + content["text"]
        if kind not in ("status", "execute_input"):
            given.append((kind, content.get("name"), content))

    running.kc.execute_interactive(
        code, output_hook=keep, allow_stdin=False, store_history=False, timeout=60
    )
    own = r"0x[0-9a-f]+|ipykernel_\d+/\d+|[WE]\d{4} [\d:.]+ \d+"
    return [(kind, re.sub(own, "", json.dumps(content))) for kind, _, content in given]


@pytest.mark.parametrize("framework", course.FRAMEWORKS)
def test_a_forked_kernel_gives_what_jupyterlabs_gives(folder, tmp_path, framework):
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 5\nfigure.max_open_warning: 3\n")
    with kernel(folder / framework, tmp_path) as forked, kernel(None, tmp_path) as ordinary:
        pictures = 0
        for cell in (IMPORT[framework], *CELLS):
            given = messages(forked, cell)
            assert given == messages(ordinary, cell), cell
            pictures += sum("image/png" in content for _, content in given)
        assert pictures == 8
        assert isinstance(forked.km.provisioner.process, kernels.Process)
        assert not isinstance(ordinary.km.provisioner.process, kernels.Process)


def test_a_forked_kernel_has_the_framework_and_nothing_else_of_its_parent(folder, tmp_path):
    with kernel(folder / "pytorch", tmp_path) as running:
        assert isinstance(running.km.provisioner.process, kernels.Process)
        code = "import os, sys; print('torch' in sys.modules, 'tensorflow' in sys.modules, "
        code += "'torch' in globals(), os.getcwd(), os.getpid(), os.environ['OMP_NUM_THREADS'])"
        loaded, other, named, cwd, pid, threads = said(running, code).split()
        assert (loaded, other, named) == ("True", "False", "False")
        assert (cwd, int(pid)) == (str(tmp_path), running.km.provisioner.process.pid)
        assert threads == os.environ["OMP_NUM_THREADS"]
        assert said(running, "get_ipython().run_line_magic('matplotlib', '--list')") != ""
    assert ends(int(pid))


def test_two_kernels_share_neither_names_nor_random_numbers(folder):
    draw = "import numpy; x = numpy.random.random(); print(x)"
    with kernel(folder / "pytorch") as first, kernel(folder / "pytorch") as second:
        assert said(first, draw) != said(second, draw)
        said(first, "mine = 1")
        assert said(second, "print('mine' in globals())") == "False"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("import os; os._exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL)],
)
def test_how_a_kernel_died_is_known(folder, code, exit_code):
    with kernel(folder / "pytorch") as running:
        running.kc.execute(code)
        process = running.km.provisioner.process
        assert ends(process.pid)
        assert process.wait() == exit_code
        assert not running.is_alive()


def test_a_cell_can_be_interrupted(folder):
    with kernel(folder / "pytorch") as running:
        endless = running.kc.execute("import time\nprint('on')\ntime.sleep(60)")
        while running.get_message("iopub", 10)["msg_type"] != "stream":
            pass
        running.interrupt()
        running.await_reply(endless, 10)
        assert running.status == "error"
        assert said(running, "print('usable')") == "usable"


def test_without_a_parent_a_kernel_is_started_as_usual(tmp_path):
    with kernel(tmp_path / "gone" / "pytorch") as running:
        assert not isinstance(running.km.provisioner.process, kernels.Process)
        assert said(running, "import sys; print('torch' in sys.modules)") == "False"


def test_no_framework_no_process():
    with kernels.forking([]) as folder:
        assert folder is None


def test_a_kernel_that_dies_while_it_starts_is_started_again(folder, monkeypatch):
    start, started = validation.Kernel._start, []

    def unlucky(self, *arguments):
        start(self, *arguments)
        started.append(self.km.provisioner.process)
        if len(started) == 1:
            started[0].kill()
            assert ends(started[0].pid)

    monkeypatch.setattr(validation.Kernel, "_start", unlucky)
    with kernel(folder / "pytorch") as running:
        assert said(running, "print('usable')") == "usable"
    assert len(started) == 2


def test_kernels_end_with_their_parent(folder, parent):
    running = validation.Kernel(folder / "pytorch", str(course.ROOT), 60)
    process = running.km.provisioner.process
    forked_from = int(said(running, "import os; print(os.getppid())"))
    parent.close()
    assert ends(forked_from)
    assert ends(process.pid)
    assert process.poll() == -signal.SIGKILL
    running.stop()
