"""``python -m vecphe.cli``."""

import sys

from vecphe.cli import main

sys.exit(main())
