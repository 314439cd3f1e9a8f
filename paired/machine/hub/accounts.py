"""Who may come in: whoever knows the class's word, under a name and with a password of their own.

The first password that is typed for a name is that name's from then on. So that nobody from outside
can open an account, or take a name before its student does, a new name also asks for the word that
stands on the board.
"""

import dbm
import hmac
import os
import pathlib
import re
import shutil
import subprocess

from paired.machine.hub.room import GROUP, PREFIX, Account, Room

from firstuseauthenticator import FirstUseAuthenticator
from traitlets import Set, Unicode

NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")
_DISK_GIGABYTES = 5  # of a student, where there are quotas
NAME_RULE = "small letters a to z, digits, - and _, beginning with a letter, at most 24"


class Authenticator(FirstUseAuthenticator):
    """Takes a new name only with the class's word, and only from the list, where there is one."""

    word = Unicode("", config=True, help="what a new account has to know")
    students = Set(config=True, help="the only names; none: any name")
    request_otp = True
    otp_prompt = "The word on the board (the first time):"

    def known(self, name: str) -> bool:
        """Whether somebody has chosen a password for this name."""
        with dbm.open(self.dbm_path, "c", 0o600) as passwords:
            return name.encode() in passwords

    async def authenticate(self, handler, data: dict) -> str | None:
        """The student's name; None, and a sentence on the page, for whoever may not come in."""
        name = self.normalize_username(data["username"].strip())
        data = data | {"username": name}
        handler.custom_login_error = "This is not the password that was chosen for that name."
        if not NAME.fullmatch(name):
            handler.custom_login_error = f"Choose a name of {NAME_RULE}."
            return None
        if self.students and name not in self.students:
            handler.custom_login_error = f"{name} is not on the list of this class."
            return None
        word = (data.get("otp") or "").strip().lower()
        if not self.known(name) and not hmac.compare_digest(word.encode(), self.word.encode()):
            handler.custom_login_error = "A new name needs the word that stands on the board."
            return None
        return await super().authenticate(handler, data)


def forget(room: Room, student: str) -> bool:
    """Forget a password, so that the next who knows the class's word chooses one; False: no such.

    What the student has written stays.
    """
    with dbm.open(passwords(room), "c", 0o600) as known:
        if student.encode() not in known:
            return False
        del known[student.encode()]
    return True


def passwords(room: Room) -> str:
    """The file of the passwords; hashes of them, that is."""
    return str(pathlib.Path(room.folder, "hub", "passwords.dbm"))


def create(room: Room, student: str) -> Account:
    """A student's account and home, made if they are not there.

    Raises:
        PermissionError: there is a user of that name that this class did not make, or the home
            is another user's.
        subprocess.CalledProcessError: the system will have no such user.
    """
    try:
        account = room.account(student)
    except KeyError:
        _add_user(room, student)
        account = room.account(student)
    home = pathlib.Path(account.home)
    if not home.exists():
        home.mkdir(0o700)
        os.chown(home, account.uid, account.gid)
    if home.stat().st_uid != account.uid:  # of a class whose users were removed
        raise PermissionError(
            f"{home} is not {PREFIX}{student}'s. If it should be: "
            f"chown -R {PREFIX}{student}:{GROUP} {home}"
        )
    return account


def _add_user(room: Room, student: str) -> None:
    subprocess.run(["groupadd", "--force", "--system", GROUP], check=True)
    command = ["useradd", "--system", "--gid", GROUP, "--home-dir", room.home(student)]
    command += ["--no-create-home", "--shell", "/usr/sbin/nologin", PREFIX + student]
    subprocess.run(command, check=True)


def limit_disk(room: Room, student: str) -> bool:
    """Limit what a student's files take; False where the file system has no quotas."""
    if not room.users or not shutil.which("setquota"):
        return False
    blocks = str(_DISK_GIGABYTES * 2**20)
    place = subprocess.run(
        ["df", "--output=target", room.folder], capture_output=True, text=True
    ).stdout.splitlines()[-1]
    command = ["setquota", "-u", PREFIX + student, blocks, blocks, "0", "0", place]
    return subprocess.run(command, capture_output=True).returncode == 0
