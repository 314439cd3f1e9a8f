"""The small package that the lessons import: what both halves of a pair share.

Importing it (before either framework) applies the course's settings; see `paired.settings`.
"""

from paired import settings

settings.apply()
