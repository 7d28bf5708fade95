"""Notebooks: a live IPython shell in a sandbox, the dialogue that drives it, and the document that it leaves."""
