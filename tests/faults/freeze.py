"""Exempt all objects that exist at import from garbage collection; the server that forks child processes imports this last.

A collection in a child would visit every object of the imported modules, and so copy each of their memory pages.
"""

import gc

gc.freeze()
