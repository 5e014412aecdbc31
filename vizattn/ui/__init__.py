"""The page: layout and wiring only; all mathematics lives below and in the browser's canvas."""
