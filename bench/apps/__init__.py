"""The same application, in three frameworks, with the sessions of different libraries."""
