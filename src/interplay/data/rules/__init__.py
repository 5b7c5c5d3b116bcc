"""What `data check` looks at in one clip, one module per part of it; each rule yields findings."""
