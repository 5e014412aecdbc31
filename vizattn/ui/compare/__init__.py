"""The tab "Compare": several networks on one picture, under one pointer."""
