"""Merge several cases, or split one case, together with the time that is logged on them (D53).

An entry that moves keeps its service, and therefore stays approved. When cases are merged, settled entries, which are
on a document, move too. The column `settled_on_id` of such an entry refers to the case whose number is on the document.
"""
