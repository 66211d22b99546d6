"""Understanding: language, sentiment, crisis, urgency and entities of a text."""
