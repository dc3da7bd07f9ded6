"""The time of one agent by day and by week: the week grid, and the time line of a day."""
