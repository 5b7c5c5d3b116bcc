"""The embedded interaction world: small scenes of people and things with exact truth for everything.

``vocabulary`` says what there is, ``scene`` who is there and who does what to whom, ``casting`` and ``layout`` choose
that at random, ``splits`` which compositions are held out of training, ``twins`` who trades roles. ``verbs`` directs,
``motion`` and ``staging`` move, ``physics`` checks it; ``canvas``, ``figures`` and ``render`` draw. ``captions`` and
``questions`` say what is said and asked, ``truth`` everything that is known, ``companions`` draws and sounds what
comes with a clip on request. ``make`` writes clips, and ``judge`` answers questions about a clip from its pixels
alone.
"""
