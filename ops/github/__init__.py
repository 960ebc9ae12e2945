"""What the workflows ask and tell GitHub, by `python3 -m ops.github COMMAND`: comments, deploys, issues, settings.

Runs with the system's Python: it imports the standard library, and of this project what does the same. The Actions
variables and the event's file are its arguments; what pull requests say is taken apart before it is shown.
"""
