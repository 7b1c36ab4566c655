"""What keeps actors alive: directory, mailboxes, run queue, group commit, failures, timers.

Only the standard library and anyio, so that the very same code runs on asyncio in production and
on trio with virtual time in tests. Everything else comes in through the ports of ``actors.ports``.
"""
