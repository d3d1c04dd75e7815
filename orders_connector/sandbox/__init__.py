"""Local servers that behave like the commerce APIs, under the control of a test."""
