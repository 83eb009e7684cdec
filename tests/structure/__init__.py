"""What the code looks like from afar: its size, its names, who imports past whose interface (`make figures`)."""
