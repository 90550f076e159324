"""`python -m ordersaga`."""

import sys

from ordersaga.cli import main

sys.exit(main())
