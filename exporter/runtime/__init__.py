"""What every process of ours needs of the system: signals, logging, small files."""
