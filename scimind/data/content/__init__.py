"""The contents of fields: molecules, sequences, texts, labels."""
