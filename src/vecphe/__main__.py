"""``python -m vecphe``."""

import sys

from vecphe.cli import main

sys.exit(main())
