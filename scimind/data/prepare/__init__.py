"""Data files to conversation JSON and MindRecord: encode, decide about every record, write."""
