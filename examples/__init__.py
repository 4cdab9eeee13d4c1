"""Programs that show coatcheck at work; each folder runs by itself."""
