"""Converts text with molecules, proteins and nucleic acids to token ids and back."""

from scimind.tokenizer.batch import BatchEncoding
from scimind.tokenizer.codec import Encoding, TokenCodec

__all__ = ["BatchEncoding", "Encoding", "TokenCodec"]
