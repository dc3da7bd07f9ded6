"""Try prices without storing anything: what one piece of work would cost, and what a year of work would have cost."""
