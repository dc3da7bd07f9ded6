"""Merge cases and split one, together with the time that is logged on them (D53).

Time keeps its service when it moves, and therefore its approval. Settled time moves with a merged case too; the database
keeps in `settled_on_id` the case whose number is on its document.
"""
