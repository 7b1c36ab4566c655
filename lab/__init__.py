"""For trying and breaking: a local Telegram, the demo, benchmarks.

Nothing in production imports it.
"""
