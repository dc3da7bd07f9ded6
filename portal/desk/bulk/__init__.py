"""Change many cases at once: chosen ones, or all that a filter finds.

A change is prepared with the cases and their present values, so that its page can say what will change. Once it is begun,
each case is changed in a transaction of its own, as by the form of a single case. A case that cannot be changed, or that
somebody has changed since, is reported and stops no other.
"""
