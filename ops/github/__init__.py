"""What the workflows do on GitHub: `python3 -m ops.github` makes the comment on a pull request.

Runs with the system's Python on the default branch's code: it imports the standard library, and of this project what
does the same. The Actions variables and the event's file are its only arguments.
"""
