"""Films as frames and frames as films: nothing lost, upright, at the same times; a line for what is no film."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import make_film, pictures, read_film

from rcnn_tutorial.data.films import Film, FilmWriter
from rcnn_tutorial.errors import DataError

CLOSE = 25  # gray values of 255, on average, that encoders may change; toy scenes differ by more than 50


def copy(path, target):
    """The frames of a film, written again."""
    with Film(path) as film, FilmWriter(target, film.rate, film.tick) as writer:
        frames = list(film)
        for frame in frames:
            writer.add(frame.pixels, frame.time)
    return frames


def distance(pixels, others) -> float:
    return float(np.abs(pixels.astype(float) - others).mean())


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("b.avi", "mpeg4"), ("c.mkv", "libx264")])
@pytest.mark.parametrize("rate", [Fraction(10), Fraction(30000, 1001)])
def test_a_film_comes_back_frame_by_frame_at_its_rate(name, codec, rate, tmp_path):
    shown = pictures(6)
    frames = copy(make_film(tmp_path / name, shown, rate, codec=codec), tmp_path / "new" / "film.mp4")
    again, times, new_rate = read_film(tmp_path / "new" / "film.mp4")
    assert [frame.index for frame in frames] == list(range(6)) and len(again) == 6
    for index, (frame, pixels) in enumerate(zip(frames, again, strict=True)):
        assert frame.pixels.shape == pixels.shape == shown[index].shape
        distances = [distance(pixels, other) for other in shown]
        assert int(np.argmin(distances)) == index and distances[index] < CLOSE
        assert distance(frame.pixels, shown[index]) < CLOSE
        assert float(frame.time) == pytest.approx(index / rate, abs=2e-3)
        assert float(times[index] - times[0]) == pytest.approx(index / rate, abs=2e-3)
    assert float(new_rate) == pytest.approx(float(rate), rel=0.01)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["film.mp4"]


def test_frames_that_do_not_come_evenly_keep_their_times(tmp_path):
    stamps = [0, 1, 5, 6, 20]
    frames = copy(make_film(tmp_path / "a.mp4", pictures(5), stamps=stamps), tmp_path / "b.mp4")
    assert [float(frame.time) for frame in frames] == pytest.approx([stamp / 10 for stamp in stamps])
    assert [float(time) for time in read_film(tmp_path / "b.mp4")[1]] == pytest.approx([s / 10 for s in stamps])


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_frames_are_turned_as_the_film_says(turned, tmp_path):
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:16, :16] = 255  # white at the top left
    with Film(make_film(tmp_path / "a.mp4", [pixels] * 2, turned=turned)) as film:
        (first, _) = film
    assert distance(first.pixels, np.rot90(pixels, turned // 90)) < CLOSE


def test_an_odd_side_repeats_its_last_row_or_column(tmp_path):
    pixels = pictures(1, (65, 79))[0]
    with FilmWriter(tmp_path / "a.mp4", Fraction(10), Fraction(1, 10)) as writer:
        writer.add(pixels, Fraction(0))
    ((frame,), _, rate) = read_film(tmp_path / "a.mp4")
    assert frame.shape == (66, 80, 3) and distance(frame[:65, :79], pixels) < CLOSE and rate == 10


def test_a_block_that_fails_or_writes_no_frame_leaves_nothing(tmp_path):
    with FilmWriter(tmp_path / "a.mp4", Fraction(10), Fraction(1, 10)):
        pass
    with pytest.raises(ZeroDivisionError), FilmWriter(tmp_path / "a.mp4", Fraction(10), Fraction(1, 10)) as writer:
        writer.add(pictures(1)[0], Fraction(0))
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(DataError, match="a.mp4: not written .*; make room or name another place"),
        FilmWriter(tmp_path / "file" / "a.mp4", Fraction(10), Fraction(1, 10)) as writer,
    ):
        writer.add(pictures(1)[0], Fraction(0))


def sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def without_frames(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()


BAD = {
    "missing": (lambda path: None, "no such film; check the path"),
    "empty": (lambda path: path.write_bytes(b""), "cannot read the film"),
    "junk": (lambda path: path.write_bytes(b"junk" * 999), "cannot read the film"),
    "cut off": (
        lambda path: path.write_bytes(make_film(path, pictures(9)).read_bytes()[:4000]),
        "cannot read the film",
    ),
    "sound": (sound_only, "holds no frames"),
    "no frames": (without_frames, "holds no frames"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_film_is_one_line(kind, tmp_path):
    make, words = BAD[kind]
    make(tmp_path / "bad.mp4")
    with pytest.raises(DataError) as caught, Film(tmp_path / "bad.mp4") as film:
        list(film)
    assert str(caught.value).startswith(f"{tmp_path / 'bad.mp4'}: {words}") and str(caught.value).isprintable()


def test_damage_behind_the_first_frames_ends_the_film_and_is_kept(tmp_path):
    path = make_film(tmp_path / "a.mp4", pictures(40), codec="mpeg4")
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.pos]
    data = bytearray(path.read_bytes())
    data[starts[20] : starts[30]] = bytes(starts[30] - starts[20])
    path.write_bytes(data)
    with Film(path) as film:
        frames = list(film)
    assert 0 < len(frames) < 40
    assert f"a.mp4: cannot be read beyond frame {len(frames) - 1} (" in str(film.damage)


def test_a_film_that_was_cut_off_is_told(tmp_path):
    path = make_film(tmp_path / "a.mkv", pictures(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Film(path) as film, pytest.warns(UserWarning, match=r"a.mkv: ends after .* of the 4.0 seconds"):
        frames = list(film)
    assert 0 < len(frames) < 40 and film.damage is None


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_film(tmp_path / "http:a%20b.mp4", pictures(2))
    assert len(copy(Path("http:a%20b.mp4"), Path("out:a.mp4"))) == 2
    assert len(read_film(tmp_path / "out:a.mp4")[0]) == 2
