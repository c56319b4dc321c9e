"""Text with molecules, proteins and nucleic acids to token ids, and back."""

from scimind.tokenizer.codec import BatchEncoding, Encoding, TokenCodec

__all__ = ["BatchEncoding", "Encoding", "TokenCodec"]
