"""What a stack must keep, whoever changes it: rules, and the pack by which the engine holds a stack to them."""
