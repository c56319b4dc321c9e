"""Turns data files into conversation JSON and MindRecord: encode, decide the fate of every record, write."""
