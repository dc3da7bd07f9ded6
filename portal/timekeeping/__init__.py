"""Time entries: what agents log, and who may change it until when. The package `portal.billing` computes what it costs."""
