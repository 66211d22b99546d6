"""Training the model anyone can repeat: from packaged weights to a folder under models/."""
