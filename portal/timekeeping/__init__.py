"""Timekeeping: time entries, who may write them, and until when. This room does not know what time costs."""
