"""What ``show`` says of each sort of network; no commands themselves."""
