"""``topicdesk chaos``: the real program on real servers, with everything going wrong on purpose.

Nodes, Postgres, Valkey and the local Telegram are processes; every link between them passes through
a proxy of ours. A nemesis breaks them by a schedule drawn from a seed while people write numbered
messages; afterwards a checker compares what was said with what every chat shows.
"""
