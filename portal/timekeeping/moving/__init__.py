"""Merge cases and split one, together with the time that is logged on them (D53).

Time keeps its service when it moves, and with that its approval. Settled time moves with a merged case too; the database
keeps the case whose number its document names in `settled_on_id`.
"""
