"""`python -m portal.billing.simulate FILE`."""

import sys

from portal.billing.simulate import main

sys.exit(main(sys.argv[1:]))
