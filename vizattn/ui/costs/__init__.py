"""The tab "Cost": what mechanisms cost as the number of places grows, as it was measured."""
