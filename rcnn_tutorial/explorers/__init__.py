"""Live pictures of every stage: controls beside one canvas, and a line that says what the picture shows.

`explorer.py` says how to add one.
"""
