"""Text with molecules, proteins and nucleic acids to token ids, and back."""
