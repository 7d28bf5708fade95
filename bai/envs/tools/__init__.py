"""Tools: how they are declared, how calls are read and checked, and what answers them."""
