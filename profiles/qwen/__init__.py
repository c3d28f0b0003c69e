"""Qwen Code: command hooks in a private QWEN_HOME; its shells ask which call they belong to."""
