"""A class on one machine: `make hub` starts JupyterHub, each student with a copy of the course.

JupyterHub, its proxy, its authenticator and its culler are other people's; what is here joins them:

- `__main__` starts the hub and says what to write on the board, `place` looks first whether it can;
- `room` is what every process has to know, `proxy` fetches the proxy;
- `config` is JupyterHub's configuration and how servers start, `accounts` who may come in;
- `limits` is what a student may use, and who a process becomes;
- `warm` forks kernels and servers from processes that have imported what these need, `asking` and
  `provisioner` ask for them;
- `student` runs as a student: it brings the copy of the course up to date and is the server.

Started as root, each student is a user of the system, and what a kernel or server does happens with
that user's rights and limits. Otherwise all are one user: for a class that is trusted.
"""
