"""Structure videos (CoInteract's HOI video): mask tracks read out of their pixels, and whether they are in step."""
