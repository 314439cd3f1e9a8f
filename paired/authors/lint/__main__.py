"""`make lint`."""

import sys

from paired.authors import lint

sys.exit(lint.main())
