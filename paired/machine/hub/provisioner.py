"""Kernels of a student's server: forked from a warm process of the class, or started as usual."""

import asyncio
import pathlib

from paired import course
from paired.machine.hub import asking
from paired.machine.hub.room import Room

from jupyter_client.provisioning import LocalProvisioner


class Provisioner(LocalProvisioner):
    """Forks a kernel for a notebook of the course, or starts one as usual."""

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Launch a kernel; which framework it has, the notebook's name says."""
        environment = kwargs["env"]
        name = pathlib.Path(environment.get("JPY_SESSION_NAME") or "").stem
        framework = next((f for f in course.FRAMEWORKS if name.endswith(f)), course.FRAMEWORKS[0])
        request = {"argv": cmd, "cwd": str(kwargs["cwd"]), "env": environment}
        try:
            address = pathlib.Path(Room.here().sockets, framework)
            self.process = await asyncio.to_thread(asking.ask, address, request)
        except (OSError, KeyError, ValueError) as problem:
            self.log.warning(f"This kernel is started as usual: {problem}")
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info
