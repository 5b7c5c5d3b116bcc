"""Files spoilt by chance: one InputError each, no crash, no hang, and nothing on the terminal."""

import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from interplay.core.errors import InputError
from interplay.records.media.audio import Sound, read_audio, write_wav
from interplay.records.media.video import probe_video, read_video, write_image, write_video
from media_files import encode, numbered

MUTANTS = 400
EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000, 0x00010000)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Small whole files of every kind, by name."""
    folder = tmp_path_factory.mktemp("originals")
    frames = numbered(6)
    tone = Sound(np.sin(np.arange(12000) / 9).astype(np.float32) / 2, 16000)
    write_video(folder / "lossless.mp4", frames, 8.0)
    write_video(folder / "sound.mp4", frames, 8.0, lossless=False, sound=tone)
    encode(folder / "fragments.mp4", frames, options={"g": "3"}, layout={"movflags": "+frag_keyframe+empty_moov"})
    encode(folder / "a.mkv", frames)
    encode(folder / "a.webm", frames, codec="libvpx")
    encode(folder / "a.avi", frames, codec="mpeg4")
    encode(folder / "a.ts", frames)
    encode(folder / "a.gif", frames, codec="gif", pixels="rgb8", rate=10)
    write_image(folder / "a.png", frames[3])
    for suffix in ("jpg", "webp", "bmp", "tif"):
        Image.fromarray(frames[3]).save(folder / f"a.{suffix}")
    write_wav(folder / "a.wav", Sound(tone.samples[:2000], 16000))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def spoilt(data, chance):
    """``data`` cut off, or with bits, bytes, numbers or stretches changed; often in the header of an mp4."""
    if chance.random() < 0.15:
        return data[: chance.randrange(len(data))]
    spoiled = bytearray(data)
    low = max(0, data.find(b"moov")) if chance.random() < 0.5 else 0
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(low, max(low + 1, len(spoiled) - 4))
        length = chance.randrange(1, 64)
        kind = chance.randrange(5)
        if kind == 0:
            spoiled[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            spoiled[place] = chance.randrange(256)
        elif kind == 2:
            number = chance.choice((*EXTREMES, chance.randrange(1 << 32)))
            spoiled[place : place + 4] = struct.pack(chance.choice("<>") + "I", number)
        elif kind == 3:
            del spoiled[place : place + length]
        else:
            spoiled[place:place] = spoiled[place : place + length]
    return bytes(spoiled)


def problem_of(read, path):
    """The error's line, ``None`` when the file could be read."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return None


def test_spoilt_files_are_input_errors_or_read(originals, tmp_path, capfd):
    chance = random.Random(20261121)
    problems = []
    for number in range(MUTANTS):
        path = tmp_path / f"{number}-{chance.choice(list(originals))}"
        path.write_bytes(spoilt(originals[path.name.split("-")[1]], chance))
        problems += [(path, problem_of(read, path)) for read in (probe_video, read_video, read_audio)]
        path.unlink()
    said = [(path, problem) for path, problem in problems if problem is not None]
    assert MUTANTS < len(said) < 3 * MUTANTS  # most hold no sound, and some survive
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for path, problem in said)
    assert capfd.readouterr() == ("", "")


def test_every_length_of_small_files(originals, tmp_path):
    for name in ("lossless.mp4", "a.gif", "a.wav"):
        data = originals[name]
        for length in range(0, len(data), max(1, len(data) // 60)):
            path = tmp_path / f"{length}-{name}"
            path.write_bytes(data[:length])
            assert problem_of(read_audio if name == "a.wav" else read_video, path) is not None, path


def test_nothing_of_the_libraries_reaches_the_terminal(originals, tmp_path):
    tiff = bytearray(originals["a.tif"])
    samples_per_pixel = tiff.index(struct.pack("<HHI", 277, 3, 1)) + 8
    struct.pack_into("<H", tiff, samples_per_pixel, 2048)  # about which Pillow writes to its log
    (tmp_path / "a.tif").write_bytes(bytes(tiff))
    chance = random.Random(7)
    for name in ("lossless.mp4", "sound.mp4", "a.mkv", "a.avi", "a.ts", "a.gif"):
        (tmp_path / name).write_bytes(spoilt(originals[name], chance))
    done = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")


# As the command line does it: no test runner that catches logs.
_READ_ALL = """
import sys
from pathlib import Path

import numpy as np

from interplay.core.errors import InputError
from interplay.records.media.audio import Sound, read_audio
from interplay.records.media.video import read_video, write_video

refused = 0
folder = Path(sys.argv[1])
for path in sorted(folder.iterdir()):
    for read in (read_video, read_audio):
        try:
            read(path)
        except InputError:
            refused += 1
frames, sound = np.zeros((8, 64, 64, 3), np.uint8), Sound(np.zeros(16000, np.float32), 16000)
for lossless in (True, False):
    write_video(folder / "new.mp4", frames, 8.0, lossless=lossless, sound=sound)
print("refused" if refused > 6 else "read")
"""
