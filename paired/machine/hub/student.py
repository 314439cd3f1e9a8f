"""A student's server; runs with the student's rights, and begins with the copy of the course.

The copy is a clone of what the instructor last committed. `paired.machine.update` brings it up to
date at each start, which loses nothing of the student's. A handout, which has no history, is
copied: new files arrive, and what is there stays.
"""

import os
import pathlib
import subprocess
import sys
import time

from paired import course
from paired.machine import lab, update
from paired.machine.hub.room import VARIABLE, Room


def bring(source: pathlib.Path, copy: pathlib.Path) -> None:
    """Make a student's copy of the course, or bring it up to date; what happened is printed."""
    if not any((source / name).exists() for name in (".git", "HEAD")):
        lab.copy_course(course.ROOT, copy)
    elif (copy / ".git").exists():
        update.main(copy)
    else:
        if copy.exists():  # it is no clone any more
            copy.rename(copy.with_name(f"{copy.name}.mine-{time.strftime('%Y%m%d-%H%M%S')}"))
        # The repository is the instructor's, whom this student trusts.
        settings = ["git", "config", "--global", "--add", "safe.directory", str(source)]
        subprocess.run(settings, check=True)
        part = copy.with_name(f"{copy.name}.part-{os.getpid()}")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", source, part], check=True)
        part.rename(copy)


def main() -> None:
    """Be a student's server."""
    # In a cluster there is no room: the image has the course.
    source = Room.here().course if VARIABLE in os.environ else course.ROOT
    copy = pathlib.Path(os.environ["PAIRED_HOME"])
    log = os.open(copy.parent / "server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    bring(source, copy)
    for name, folder in lab.JUPYTER_FOLDERS.items():
        if name != "JUPYTER_RUNTIME_DIR":
            os.environ[name] = str(copy / ".jupyter" / folder)
    try:
        for lesson in (None, *course.lessons(copy)):
            lab.write_workspace(copy, lesson)
    except Exception as problem:  # whatever a student has written there: the server starts
        print(problem)
    os.chdir(copy)
    sys.argv[0] = "jupyterhub-singleuser"
    from jupyterhub.singleuser import main as serve

    serve()


if __name__ == "__main__":
    main()
