"""How one comes in, proves it again, and goes out. The only room that starts sessions."""
