"""What can be traded: how options are priced, and payoffs that are checked before they trade."""
