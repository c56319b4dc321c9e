"""Tasks: the fields of a record, its question and its answer."""
