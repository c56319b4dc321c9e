"""Tasks: which fields a record has, what is asked and what is answered."""
