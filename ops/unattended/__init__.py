"""What a CI does with a stack, whichever CI it is: `python3 -m ops.unattended preview`, `up` and `drift`.

Runs with the system's Python: it imports the standard library, and of this project what does the same. What is judged
in the program's environment (`ops.ready`) or in that of the checks (`ops.verify`) is started there.
"""
