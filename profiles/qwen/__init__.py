"""Qwen Code: command hooks in a private QWEN_HOME; its allowances change nothing of a call."""
