"""What each published system adds to a stock backbone: observation requests, loss terms, training-only modules."""
