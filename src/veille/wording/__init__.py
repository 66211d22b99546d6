"""What people read: message catalogues, numbers, dates, escaping."""
