"""An interrupted training: its last good checkpoint, its state, and where its data continues."""
