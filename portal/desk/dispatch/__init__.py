"""Dispatch cases by rules that choose agent, department and priority, and hand over the cases of absent agents."""
