"""Our own example pictures: a small ray marcher over signed distances, and what it draws."""
