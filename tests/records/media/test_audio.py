"""Sound in step with the picture, wherever it comes from and wherever it goes."""

import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from interplay.core.errors import InputError
from interplay.records.media.audio import Sound, read_audio, sound_of_frames, write_wav
from interplay.records.media.timeline import choose_frames
from interplay.records.media.video import probe_video, read_video, timeline_of, write_video
from media_files import numbered


def noise(count, seed=0):
    return (np.random.default_rng(seed).standard_normal(count) * 0.1).clip(-1, 1).astype(np.float32)


def waves(seconds, rate):
    """A sound whose every piece is another: a sweep from 200 to 2000 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * time + 900 / seconds * time**2))).astype(np.float32)


def clapper(count, fps, rate, at):
    """Frames of which one is white, and a sound that clicks while it is shown."""
    frames = np.zeros((count, 64, 64, 3), np.uint8)
    frames[at] = 255
    samples = np.zeros(round(count / fps * rate), np.float32)
    samples[round(at / fps * rate) : round(at / fps * rate) + rate // 500] = 0.8
    return frames, Sound(samples, rate)


def loudest_s(samples, rate):
    """The middle of the click."""
    energy = samples.astype(np.float64) ** 2
    return float((energy * np.arange(len(samples))).sum() / energy.sum() / rate)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mp4"


# --- wav --------------------------------------------------------------------------------------------------------------


def test_a_wav_comes_back_to_the_bit(tmp_path):
    values = np.random.default_rng(0).integers(-32768, 32768, 5000)
    samples = (values / 32768).astype(np.float32)
    assert write_wav(tmp_path / "a.wav", Sound(samples, 16000)) == 0
    assert (read_audio(tmp_path / "a.wav") == samples).all()
    with wave.open(str(tmp_path / "a.wav")) as stream:
        assert (stream.getframerate(), stream.getnchannels(), stream.getsampwidth()) == (16000, 1, 2)
        assert (np.frombuffer(stream.readframes(5000), "<i2") == values).all()


def test_what_is_clipped_is_counted(tmp_path):
    samples = np.array([0.5, 1.5, -1.0, -1.2, 1.0], dtype=np.float32)
    assert write_wav(tmp_path / "a.wav", Sound(samples, 16000)) == 2
    assert read_audio(tmp_path / "a.wav") == pytest.approx([0.5, 1, -1, -1, 1], abs=1e-4)


def test_channels_are_averaged(tmp_path):
    left, right = (np.random.default_rng(seed).integers(-9000, 9000, 1000) for seed in (0, 1))
    with wave.open(str(tmp_path / "a.wav"), "wb") as stream:
        stream.setnchannels(2)
        stream.setsampwidth(2)
        stream.setframerate(16000)
        stream.writeframes(np.stack([left, right], axis=1).astype("<i2").tobytes())
    assert read_audio(tmp_path / "a.wav") == pytest.approx((left + right) / 65536, abs=1e-6)


@pytest.mark.parametrize("source", [8000, 22050, 24000, 44100, 48000])
def test_resampling_keeps_time_and_length(tmp_path, source):
    write_wav(tmp_path / "a.wav", Sound(waves(1.5, source), source))
    samples = read_audio(tmp_path / "a.wav")
    assert len(samples) == 24000
    assert np.abs(samples - waves(1.5, 16000))[200:-200].max() < 0.01


@pytest.mark.parametrize("source", [16000, 22050, 48000])
def test_a_piece_is_a_piece_of_the_whole_to_the_bit(tmp_path, source):
    write_wav(tmp_path / "a.wav", Sound(noise(source * 3), source))
    whole = read_audio(tmp_path / "a.wav")
    for start_s, duration_s in [(0.0, 0.5), (0.7123, 1.0), (2.5, 0.5), (1 / 3, 1 / 7), (0.0, 10922 / 16000)]:
        begin, count = round(start_s * 16000), round(duration_s * 16000)
        piece = read_audio(tmp_path / "a.wav", start_s=start_s, duration_s=duration_s)
        assert (piece == whole[begin : begin + count]).all()
    assert (read_audio(tmp_path / "a.wav", start_s=2.0) == whole[32000:]).all()


# --- in step with the picture -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [8.0, 25.0, 30000 / 1001])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_clap_is_seen_and_heard_at_the_same_time(path, tmp_path, fps, rate):
    frames, sound = clapper(31, fps, rate, at=19)
    write_video(path, frames, fps, lossless=False, sound=sound)
    info = probe_video(path)
    assert info.has_audio
    seen = read_video(path).frames.mean(axis=(1, 2, 3)).argmax() / info.fps
    heard = sound_of_frames(path, num_frames=31, fps=info.fps)
    assert heard.gaps == ()
    assert len(heard.samples) == round(31 / info.fps * 16000)
    assert loudest_s(heard.samples, 16000) == pytest.approx(seen + 0.001, abs=0.0005)
    # The sound ends with the picture, to one sample of either rate.
    assert len(read_audio(path)) == pytest.approx(info.duration_s * 16000, abs=2)

    # Cut out, resampled to another frame rate, and written and read once more.
    choice = choose_frames(timeline_of(path), num_frames=10, fps=5.0, start_s=0.5, where=path) if fps < 20 else None
    start_s = 0.5 if choice else 8 / info.fps
    indices = choice.indices if choice else range(8, 30)
    out_fps = 5.0 if choice else info.fps
    part = sound_of_frames(path, num_frames=len(indices), fps=out_fps, start_s=start_s, rate=24000)
    write_video(tmp_path / "b.mp4", read_video(path, indices=indices).frames, out_fps, lossless=False, sound=part)
    again = read_audio(tmp_path / "b.mp4", rate=48000)
    assert loudest_s(again, 48000) + start_s == pytest.approx(seen + 0.001, abs=0.001)


def test_a_frame_range_has_exactly_its_samples_and_ranges_join_without_a_seam(path):
    fps = 30000 / 1001
    write_video(path, numbered(60), fps, sound=Sound(waves(60 / fps, 48000), 48000))
    whole = sound_of_frames(path, num_frames=60, fps=fps)
    parts = [sound_of_frames(path, num_frames=20, fps=fps, start_s=first / fps) for first in (0, 20, 40)]
    assert [len(part.samples) for part in parts] == [round(20 / fps * 16000)] * 3
    joined = np.concatenate([part.samples for part in parts])
    assert np.abs(joined[: len(parts[0].samples)] - whole.samples[: len(parts[0].samples)]).max() == 0


def test_what_the_file_has_no_sound_for_is_marked(tmp_path):
    write_wav(tmp_path / "a.wav", Sound(noise(16000), 16000))
    sound = sound_of_frames(tmp_path / "a.wav", num_frames=30, fps=25, start_s=0.2)
    assert len(sound.samples) == 19200
    assert sound.gaps == (range(12800, 19200),)
    assert not sound.samples[12800:].any()
    assert sound_of_frames(tmp_path / "a.wav", num_frames=1, fps=25, start_s=3).gaps == (range(640),)


def test_a_range_over_the_end_is_refused(tmp_path):
    write_wav(tmp_path / "a.wav", Sound(noise(16000), 16000))
    for start_s, duration_s in [(0.5, 0.6), (0.0, 1.01), (1.0, None), (7.0, 1.0)]:
        with pytest.raises(InputError, match=r"a\.wav: its sound ends at 1 s"):
            read_audio(tmp_path / "a.wav", start_s=start_s, duration_s=duration_s)
    with pytest.raises(InputError, match="begin at 0 or later"):
        read_audio(tmp_path / "a.wav", start_s=-0.1)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(("picture_at_s", "sound_at_s"), [(0, Fraction(12, 25)), (Fraction(12, 25), 0)])
def test_tracks_that_begin_at_different_times(tmp_path, suffix, picture_at_s, sound_at_s):
    path, rate = tmp_path / f"a.{suffix}", 48000
    click_s = Fraction(6, 5)  # on the file's own clock
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 64, 64, "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="mono")
        for number in range(50):
            when = picture_at_s + Fraction(number, 25)
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 255 * (when == click_s), np.uint8), format="rgb24")
            frame.pts, frame.time_base = int(when * 50), Fraction(1, 50)
            container.mux(video.encode(frame))
        samples = np.zeros((1, rate * 2), np.float32)
        first = int((click_s - sound_at_s) * rate)
        samples[0, first : first + 96] = 0.8
        sound = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = rate, int(sound_at_s * rate), Fraction(1, rate)
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    clicked = float(click_s - picture_at_s)
    frames = read_video(path).frames.mean(axis=(1, 2, 3))
    assert timeline_of(path).start_s(int(frames.argmax())) == pytest.approx(clicked)
    heard = sound_of_frames(path, num_frames=50, fps=25)
    assert loudest_s(heard.samples, 16000) == pytest.approx(clicked + 0.001, abs=0.001)
    (gap,) = heard.gaps
    missing = (gap.start / 16000, gap.stop / 16000)
    assert missing == pytest.approx((0, 0.48) if sound_at_s else (1.52, 2), abs=0.05)


def test_a_sound_file_with_an_encoders_padding_begins_with_its_sound(tmp_path):
    path, rate = tmp_path / "a.m4a", 48000
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        samples = np.zeros((1, rate), np.float32)
        samples[0, 24000:24096] = 0.8
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    heard = read_audio(path)
    assert len(heard) == 16000
    assert loudest_s(heard, 16000) == pytest.approx(0.501, abs=0.0005)


def test_a_pause_is_a_gap_and_moves_nothing(tmp_path):
    path, rate = tmp_path / "a.mkv", 16000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for start in (0, rate):
            frame = av.AudioFrame.from_ndarray(np.full((1, rate // 2), 1000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = sound_of_frames(path, num_frames=36, fps=24.0)
    assert sound.gaps == (range(8000, 16000),)
    assert (np.flatnonzero(sound.samples) == [*range(8000), *range(16000, 24000)]).all()
    assert len(read_audio(path)) == 24000


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_no_sound(path):
    write_video(path, numbered(3), 8.0)
    with pytest.raises(InputError, match=r"a\.mp4: holds no sound"):
        read_audio(path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp4"])
def test_sound_that_breaks_off(tmp_path, name):
    path = tmp_path / name
    if name == "a.wav":
        write_wav(path, Sound(noise(32000), 16000))
    else:
        write_video(path, numbered(50, 64), 25.0, lossless=False, sound=Sound(noise(32000), 16000))
    whole = read_audio(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with pytest.raises(InputError, match=r"breaks off: its sound can be read up to 1\.\d+ s"):
        read_audio(path)
    with pytest.raises(InputError, match="breaks off"):
        sound_of_frames(path, num_frames=50, fps=25)  # what was lost is no silence
    assert (read_audio(path, duration_s=0.5) == whole[:8000]).all()


def test_a_wav_that_breaks_off_between_two_packets(tmp_path):
    write_wav(tmp_path / "a.wav", Sound(noise(32000), 16000))
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[: 44 + 2048 * 10])
    with pytest.raises(InputError, match=r"breaks off: its sound can be read up to 0\.64 s"):
        read_audio(tmp_path / "a.wav")


def test_a_rate_that_no_machine_has(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, Sound(noise(1000), 16000))
    data = bytearray(path.read_bytes())
    data[24:28] = (1).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="declares 1 samples per second"):
        read_audio(path)
