"""What every process of a class has to know: where things are, and how much a student may use.

The hub gives it to the processes that it starts in one variable of their environment.
"""

import dataclasses
import json
import os
import pathlib
import pwd

VARIABLE = "PAIRED_HUB"
# Users of the system are called so, and are in this group: nobody else's account is ever taken.
PREFIX, GROUP = "class-", "paired-class"
GIGABYTE = 2**30


@dataclasses.dataclass(frozen=True)
class Account:
    """Whom a student's processes belong to, and where the student's files are."""

    student: str
    uid: int
    gid: int
    home: str


@dataclasses.dataclass(frozen=True)
class Room:
    """A class on this machine."""

    folder: str  # what the class writes
    sockets: str  # short, or a socket could not be named in it
    memory: int  # bytes for a student
    processes: int  # for a student, threads counted
    users: bool  # each student is a user of the system; otherwise all are the user who started it

    @classmethod
    def here(cls) -> "Room":
        """The class that this process belongs to."""
        return cls(**json.loads(os.environ[VARIABLE]))

    @property
    def variable(self) -> str:
        """What `here` reads."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def course(self) -> pathlib.Path:
        """The repository that the students' copies come from; none for a handout."""
        return pathlib.Path(self.folder, "course.git")

    def home(self, student: str) -> str:
        """The folder of a student."""
        return str(pathlib.Path(self.folder, "students", student))

    def account(self, student: str) -> Account:
        """A student's account.

        Raises:
            KeyError: there is none.
            PermissionError: there is one of that name that this class did not make.
        """
        home = self.home(student)
        if not self.users:
            return Account(student, os.getuid(), os.getgid(), home)
        return self._own(pwd.getpwnam(PREFIX + student), student)

    def account_of(self, uid: int) -> Account:
        """The account of a user of the system.

        Raises:
            KeyError: there is no such user.
            PermissionError: the user is no student of this class.
        """
        if not self.users:
            if uid != os.getuid():
                raise PermissionError(f"User {uid} is not of this class.")
            return Account("", uid, os.getgid(), "/")
        user = pwd.getpwuid(uid)
        return self._own(user, user.pw_name.removeprefix(PREFIX))

    def _own(self, user: pwd.struct_passwd, student: str) -> Account:
        home = self.home(student)
        if user.pw_name != PREFIX + student or user.pw_dir != home or user.pw_uid == 0:
            raise PermissionError(f"The user {user.pw_name} of this machine is not of this class.")
        return Account(student, user.pw_uid, user.pw_gid, home)
