"""How a scene moves: curves over the clip, bodies that follow their hands, and who touches what when."""
