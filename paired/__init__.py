"""The small package that the lessons import: what both halves of a pair share.

Importing it (before either framework) applies the course's settings, see `paired.settings`, and
lets both frameworks be imported in one process, see `paired.imports.separate_triton`.
"""

from paired import imports, settings

settings.apply()
imports.separate_triton()
