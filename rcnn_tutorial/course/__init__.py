"""The notebooks as files: where they lie, executed in place, as students' copies, as web pages; and what they need.

Nothing here imports torch before a notebook runs or the environment is checked.
"""
