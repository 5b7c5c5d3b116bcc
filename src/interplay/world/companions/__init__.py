"""What comes with a clip on request: structure video, pose video, reference images, speech, in CoInteract's style."""
