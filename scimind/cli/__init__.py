"""The `scimind` command."""
