"""A local Telegram: a Bot API server, a world of people and chats, and a page to play in."""
