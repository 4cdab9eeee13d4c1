"""Django applications."""
