"""Judges that never share a process with what they judge."""
