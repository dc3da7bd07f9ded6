"""Change many cases at once: chosen ones, or all that match a filter.

A change is prepared with the cases and their present values, so that its page can show what will change. Once it has
begun, each case is changed in a transaction of its own, as by the form of a single case. A case that cannot be changed,
or that somebody has changed since, is reported and does not stop the others.
"""
