"""The schema's history. Applied by ``storage.migrate``; see ``topicdesk migrate``."""
