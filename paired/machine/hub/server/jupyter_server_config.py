"""The settings of a student's server: those of `make lab`, and kernels from the warm processes."""

import importlib.metadata
import os
import pathlib

from paired.machine import lab

from jupyter_client.provisioning import KernelProvisionerFactory
from traitlets.config import Config

c = get_config()  # noqa: F821 - Jupyter's
root = pathlib.Path(os.environ["PAIRED_HOME"])
for name, value in lab.options(root).items():
    owner, trait = name.split(".")
    c[owner][trait] = str(value) if isinstance(value, pathlib.Path) else value
c.merge(Config(lab.settings(root)))

group = KernelProvisionerFactory.GROUP_NAME
forked = importlib.metadata.EntryPoint(
    "paired-hub", "paired.machine.hub.provisioner:Provisioner", group
)
KernelProvisionerFactory.provisioners[forked.name] = forked
c.KernelProvisionerFactory.default_provisioner_name = forked.name
# Files in a folder of the student's own: no port that another kernel could take meanwhile, and
# nothing that other users of this machine could connect to.
c.KernelManager.transport = "ipc"
c.MappingKernelManager.cull_idle_timeout = 3600
c.MappingKernelManager.cull_interval = 120
