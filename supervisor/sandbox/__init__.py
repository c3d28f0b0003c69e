"""The way in for an agent that runs elsewhere: in a container, or in a sandbox on another machine.

`relay` is all of such a task that runs here. It takes connections on one listener, from whoever
shows the task's bearer, and passes them on to the task's own proxy; when the task ends, so does it.
"""
