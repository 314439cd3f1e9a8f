"""Commands run one after the other: what they write goes to a log, what fails becomes a sentence.

Used by `install.py` on the system's own Python; the syntax stays readable for Python 3.6.
"""

import os
import platform
import re
import subprocess
import time

FLOOR, CEILING = (3, 11), (3, 14)  # the first is in, the second is out
PYTHONS = "Python 3.11 to 3.13"
LOG = "install.log"
SHOWN_MEGABYTES = 100  # a download as large as this is mentioned


class InstallError(Exception):
    """What went wrong and what to do about it, in a sentence for the person at the keyboard."""

    def __init__(self, sentence, cause=None):
        super().__init__(sentence)
        self.cause = cause  # one of those in TROUBLES; None: unknown


# The cause, how it shows in what pip, uv or npm wrote, and the sentence; the first that fits.
TROUBLES = [
    (
        "disk",
        r"No space left on device|Errno 28|Disk quota exceeded|ENOSPC",
        "The disk is full. Make room (about 5 GB), then run the same command again.",
    ),
    (
        "certificate",
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "The package index's certificate is not trusted here, which is usual behind a "
        "company's proxy. Set PIP_CERT to the proxy's certificate file, or use another network.",
    ),
    (
        "certificate",
        r"SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|CERT_HAS_EXPIRED",
        "npm's registry has a certificate that is not trusted here, which is usual behind a "
        "company's proxy. Set NODE_EXTRA_CA_CERTS to the proxy's certificate file, or use "
        "another network.",
    ),
    (
        "integrity",
        r"EINTEGRITY",
        "A package from npm is not the one in env/visdom/package-lock.json: it was refused.",
    ),
    (
        "network",
        r"Name or service not known|nodename nor servname|name resolution|NewConnectionError"
        r"|NameResolutionError|Network is unreachable|Connection refused|ConnectTimeout"
        r"|Failed to establish a new connection|Read timed out|ReadTimeout|ProxyError"
        r"|npm (?:error|ERR!) network|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT",
        "There is no network, or it does not reach the package index. "
        "Connect (or set your proxy), then run the same command again.",
    ),
    (
        "no build",
        r"No matching distribution found for (\S+)",
        "{0} has no build for this machine ({system} {machine}, Python {python}). The course runs "
        "on Linux, on Macs with Apple silicon and in WSL, with " + PYTHONS + ".",
    ),
]


def explain(log):
    """The error for a failed step, from what pip, uv or npm wrote; None if it is an unknown one."""
    for cause, shows, sentence in TROUBLES:
        found = re.search(shows, log)
        if found:
            here = {"system": platform.system(), "machine": platform.machine()}
            here["python"] = platform.python_version()
            return InstallError(sentence.format(*found.groups(), **here), cause)
    return None


class Steps:
    """Runs the steps that make one environment, and says so."""

    def __init__(self, root, folder, descriptors=()):
        self.root, self.folder, self.log = root, folder, folder / LOG
        self.descriptors = descriptors  # inherited by every command
        self.python = str(folder / "bin" / "python")
        self.variables = dict(os.environ)
        self.waiting = False  # for the package index, and it has been said

    def pip(self, *arguments):
        """The command line of the environment's own pip."""
        return [self.python, "-m", "pip", *arguments]

    def say(self, text):
        """One line of progress."""
        print("  " + text, flush=True)

    def step(self, what, command, codes=(0,), cwd=None, variables=None):
        """Run one command: its output goes to the log, and its success or failure is said.

        Raises:
            InstallError: it ended with a status that is not in `codes`.
        """
        self.say(what)
        start = time.monotonic()
        with open(str(self.log), "a", encoding="utf-8") as log:
            log.write("\n$ {}\n".format(re.sub(r"://[^/@ ]+@", "://***@", " ".join(command))))
            log.flush()
            written = []
            with subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables or self.variables,
                cwd=str(cwd or self.root),
                pass_fds=self.descriptors,
                encoding="utf-8",
                errors="replace",
            ) as process:
                try:
                    for line in process.stdout:
                        log.write(line)
                        written.append(line)
                        self.report(line)
                except BaseException:
                    process.kill()
                    raise
        if process.returncode not in codes:
            tail = "\n".join("    " + line for line in "".join(written).strip().splitlines()[-12:])
            raise explain("".join(written)) or InstallError(
                f"This step failed: {what}. Its last words:\n{tail}\n"
                f"All of them are in {self.log.relative_to(self.root)}."
            )
        self.say(f"  {time.monotonic() - start:.0f} s")

    def report(self, line):
        """Say those of pip's and uv's lines that explain why it takes long."""
        match = re.search(r"Downloading (\S+) \(([\d.]+) ?([MG])(i?B)\)", line)
        if match and (match.group(3) == "G" or float(match.group(2)) >= SHOWN_MEGABYTES):
            package = match.group(1).rsplit("/", 1)[-1]
            if package.endswith(".whl"):
                package = "-".join(package.split("-")[:2])
            self.say("  downloading {} ({} {}{})".format(package, *match.groups()[1:]))
        elif line.startswith(("Installing collected packages", "Prepared ")):
            self.say("  all there; unpacking")
        elif line.startswith("Installed "):  # uv's word
            self.say("  compiling bytecode, without which imports are slow")
        elif line.startswith("WARNING: Retrying") and not self.waiting:
            self.waiting = True
            self.say("  the package index does not answer; trying again for a while")
