"""A forked kernel is a kernel like any other, sooner; without its parent nothing is lost."""

import contextlib
import os
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
    return parent.enter_context(kernels.forking(["pytorch"]))


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


def test_a_forked_kernel_has_the_framework_and_nothing_else_of_its_parent(folder, tmp_path):
    with kernel(folder / "pytorch", tmp_path) as running:
        assert isinstance(running.km.provisioner.process, kernels._Process)
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
        assert not isinstance(running.km.provisioner.process, kernels._Process)
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
