"""What `astdialer doctor` looks at: this machine, each Asterisk, queues, trunks, and what calls find."""
