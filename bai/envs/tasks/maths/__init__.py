"""Tasks of mathematics: public sets, and a generator of our own."""
