"""Change many cases at once: chosen ones, or all that match a filter.

First, the change is stored with the cases and their present values, so that a page can show what will change. Once the
change has begun, each case is changed in a transaction of its own, with the same checks as a change of a single case. A
case that cannot be changed, or that somebody has changed since its value was stored, is reported, and the other cases
are changed.
"""
