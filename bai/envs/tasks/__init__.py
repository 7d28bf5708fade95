"""Task sets: loaders of public sets and generators of our own."""
