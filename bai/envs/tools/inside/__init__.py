"""What tool sources run inside sandboxes; the standard library alone, loaded as source."""
