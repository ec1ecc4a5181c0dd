"""What runs as it is: a shop to watch, the demo around it, configurations to start from."""
