"""What we use of Pyramid, which has no types of its own."""
