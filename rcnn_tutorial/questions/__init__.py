"""The lessons' predictions and quizzes, which take an answer and keep it. One file a stage; `asking.py` says how."""
