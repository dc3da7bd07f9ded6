"""Merge cases and split one, together with the time that is logged on them (D53).

An entry keeps its service when it moves, and therefore its approval. A settled entry moves with a merged case too; its
column `settled_on_id` then refers to the case whose number is on the document.
"""
