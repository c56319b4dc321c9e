"""What an answer may be: rules that judge a text while it is being generated."""
