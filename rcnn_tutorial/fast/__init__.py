"""What is computed another way for speed. All of it equals a plain expression; read that first.

@@TABLE
"""
