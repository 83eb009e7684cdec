"""What an administrator can do, and how the running relay is reached."""
