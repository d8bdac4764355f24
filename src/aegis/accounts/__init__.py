"""The account itself: register, read, change. How one signs in with it is the room `login`."""
