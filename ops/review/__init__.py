"""What a change does to each stack and to people, in words: `python -m ops review` (`revisions`).

`snapshot` is what one revision asks for, `difference` the judgement, `text` the layout. The last two import the standard
library alone, so that a comment can be made where nothing is installed (`ops.github`).
"""
