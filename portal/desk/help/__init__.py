"""Keep the help: articles that agents write, their pictures, and what each reader may find and read of them (S2.45)."""
