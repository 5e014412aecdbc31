"""What our own crowd scenes are made of: a view, a climate, a street, people, and two cameras."""
