"""What benchmarks share: experiments of cells that can be broken off, numbers with intervals, costs taken in turns."""
