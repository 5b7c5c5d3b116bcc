"""The embedded interaction world: small scenes of people and things with exact truth for everything.

``scene`` says who is there, ``staging`` how they move, ``figures`` and ``canvas`` how they look, ``captions`` what is
said about them, ``splits`` which compositions are held out of training, ``make`` writes clips, and ``judge`` answers
questions about a clip from its pixels alone.
"""
