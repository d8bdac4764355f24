"""What belongs to a person: a copy of it to take along, and its end."""
