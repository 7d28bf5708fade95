"""The shipped generator of tool tasks."""
