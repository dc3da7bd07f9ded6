"""Run `portal simulate` as `python -m portal.billing.simulate FILE`."""

import sys

from portal import console
from portal.billing.simulate import main

console.run(lambda: main(sys.argv[1:]))
