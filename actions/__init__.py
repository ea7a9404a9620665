"""What a drill breaks: thin Chaos Toolkit functions over change kinds. All of them pass the gate."""
