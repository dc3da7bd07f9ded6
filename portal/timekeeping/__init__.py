"""Time entries: who may write them, and until when. What time costs is decided in `portal.billing`."""
