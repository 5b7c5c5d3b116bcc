"""What the benchmarks of MATRIX share: experiments made of cells that can be made in any order and broken off."""
