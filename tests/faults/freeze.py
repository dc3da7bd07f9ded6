"""Exempt all imported objects from garbage collection; the server that forks child processes imports this module last.

A collection in a child would touch every object of the imported modules, and so copy all of their memory pages.
"""

import gc

gc.freeze()
