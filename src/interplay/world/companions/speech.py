"""Speech-like sound: one burst per syllable, a buzz coloured by its vowel under a hiss, as loud as the mouth is open.

It has no words. What matters is that sound and mouth agree, which is what speech drives in a talking-person model.
Shapes: s samples.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16
from numpy import ndarray

from interplay.core.files import full_disk_named
from interplay.core.seeds import derive_seed
from interplay.world.motion.curves import sine
from interplay.world.motion.speech import Syllable, loudness, syllables
from interplay.world.scene import Scene

SAMPLE_RATE = 16_000
_PITCH_HZ = 140.0
# Strength of the first harmonics of the pitch, for each of five vowels.
_VOWELS = (
    (0.5, 0.3, 0.5, 0.9, 0.6, 0.2),
    (0.7, 0.9, 0.4, 0.1, 0.1, 0.3),
    (0.9, 0.5, 0.1, 0.1, 0.2, 0.2),
    (0.6, 0.8, 0.7, 0.3, 0.1, 0.1),
    (0.9, 0.2, 0.1, 0.05, 0.05, 0.02),
)
_BUZZ, _HISS, _PEAK = 0.22, 0.10, 24_000.0


def speech(scene: Scene, duration_s: float) -> Int16[ndarray, " s"]:
    """What is heard in a clip, at :data:`SAMPLE_RATE`; silence when nobody speaks."""
    count = round(duration_s * SAMPLE_RATE)
    if scene.speaker is None:
        return np.zeros(count, np.int16)
    time = ((np.arange(count) + 0.5) / count).astype(np.float32)
    spoken = syllables(scene.speech)
    buzz = np.zeros(count, np.float32)
    for syllable in spoken:
        buzz += loudness((syllable,), time) * _vowel(syllable, count)
    rng = np.random.default_rng(derive_seed(scene.speech, "hiss"))
    hiss = rng.random(count, dtype=np.float32) * 2.0 - 1.0
    sound = _BUZZ * buzz + _HISS * hiss * loudness(spoken, time)
    samples: Int16[ndarray, " s"] = np.rint(np.clip(sound, -1.0, 1.0) * np.float32(_PEAK)).astype(np.int16)
    return samples


def write_speech(path: Path, samples: Int16[ndarray, " s"]) -> None:
    """Write mono 16-bit samples as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(path.parent), wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE)
        stream.writeframes(samples.astype("<i2").tobytes())


def _vowel(syllable: Syllable, count: int) -> Float32[ndarray, " s"]:
    """A steady vowel: harmonics of the pitch."""
    # In double precision: a phase of many turns must keep its fraction.
    turns = np.arange(count, dtype=np.float64) * (_PITCH_HZ / SAMPLE_RATE)
    sound = np.zeros(count, np.float32)
    for number, strength in enumerate(_VOWELS[syllable.vowel], start=1):
        phase = number * turns
        sound += np.float32(strength) * sine((phase - np.floor(phase)).astype(np.float32))
    return sound
