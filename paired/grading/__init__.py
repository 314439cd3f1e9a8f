"""Judges answered exercises by the course's own checks: `make grade`.

The command (`__main__`) gives each submission to a worker. A worker has a process forked that runs
the answers (`answering`), shut into a sandbox of its own (`sandbox`). The worker itself never runs
a line of a student's: first it judges from outside. It calls the check with stand-ins for the
student's functions (`travel`), each of which sends its arguments to the answers' process and gets
plain values back; that process has no checks, no references and no solutions. What cannot travel,
such as a graph, is judged as in the notebook, in a second process that has the checks; a "Solved"
from there counts only if the code names nothing that could forge it (`suspicion`).
"""
