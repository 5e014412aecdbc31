"""Class activation maps: the arithmetic of the methods, from a feature map and its gradients."""
