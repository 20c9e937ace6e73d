"""A model in other forms than a file for Python: so far an offline web app (`web.py`)."""
