"""Files to rows and conversations, whatever form they are in."""
