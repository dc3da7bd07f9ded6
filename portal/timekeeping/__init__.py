"""What was worked: time entries, who may write them and until when. What they cost is not known here."""
