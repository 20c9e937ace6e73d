"""Text in the graph: what Python's str and re do to code points, written as exact tables and patterns."""
