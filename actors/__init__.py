"""What a ticket is and what it decides.

Everything here is pure: no input or output, no clock, no randomness, no event loop. A ticket is a
frozen :class:`~actors.state.TicketState`; a workflow maps ``(state, envelope)`` to a
:class:`~actors.decision.Decision`; whoever calls it (``supervisor/``) commits the result and
whoever delivers it (``bot/``) turns effects into calls.
"""
