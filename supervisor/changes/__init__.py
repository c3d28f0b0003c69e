"""What a task changed in an overlay of its workspace: kept, shown, applied or dropped.

`comparing` tells what an upper layer changes, `diffs` shows it as text, `applying` carries it over
into the real workspace, `shelf` keeps the layers until a person has decided.
"""
