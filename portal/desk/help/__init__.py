"""The help: articles that agents write, their images, and what each reader may find and read of them (S2.45)."""
