"""The same application with the sessions of different libraries."""
