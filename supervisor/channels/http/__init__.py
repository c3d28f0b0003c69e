"""The HTTPS proxy channel: one per task, on the task's own listener.

`proxy.HttpProxyChannel` is the channel; `ca` makes its certificates; `environment` tells a tool's
process how to reach it. Nothing is imported here, so that the command line stays fast.
"""
