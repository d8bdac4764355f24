"""What administrators do with accounts and read in the record. Acting as somebody else is not offered, on purpose."""
