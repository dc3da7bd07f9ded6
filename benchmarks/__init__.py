"""What the performance figures in the README are measured with: `./dev bench`."""
