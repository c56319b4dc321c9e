"""What a field holds: molecules, sequences, texts, labels."""
