"""The page for one's own photo: what is written beside it, and its scripts' arithmetic in Node."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from node import needs_node

from rcnn_tutorial.course import own_photo
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.own_photo import MODULE, WASM, as_script, in_pieces, missing, runtime_folder
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.errors import DataError


def run_in_node(entry: str, test: str, folder: Path):
    """What `test` gives as JSON; it is the body of an asynchronous function of `modules`."""
    script = folder / "test.js"
    called = f"(async () => {{ {test} }})().then((value) => console.log(JSON.stringify(value)));"
    script.write_text(f"{bundle([entry], sources())}\n{called}", encoding="utf-8")
    return json.loads(subprocess.run(["node", script], capture_output=True, check=True, encoding="utf-8").stdout)


def test_a_file_is_cut_gzipped_and_made_text(monkeypatch):
    monkeypatch.setattr(own_photo, "PIECE", 100)
    data = bytes(range(256)) * 2
    texts = in_pieces(data)
    assert len(texts) > 2
    cuts = [re.fullmatch(r'rcnnPiece\("([\w+/=]+)"\);\n', text)[1] for text in texts]
    assert gzip.decompress(b"".join(base64.b64decode(cut) for cut in cuts)) == data


@needs_node
def test_the_page_puts_a_file_together_again(monkeypatch, tmp_path):
    monkeypatch.setattr(own_photo, "PIECE", 100)
    data = bytes(range(256)) * 2
    texts = [text[len('rcnnPiece("') : -len('");\n')] for text in in_pieces(data)]
    test = f'return [...new Uint8Array(await modules["inflate.js"].inflate({json.dumps(texts)}, "gzip"))];'
    assert bytes(run_in_node("inflate.js", test, tmp_path)) == data


@needs_node
def test_a_worker_that_cannot_open_the_detector_is_ended(tmp_path):
    test = """
        let ended = 0;
        globalThis.Worker = class {
            postMessage({ number }) { this.onmessage({ data: { number, error: "no memory" } }); }
            terminate() { ended += 1; }
        };
        const load = () => modules["detector.js"].Detector.load({ folder: "", pieces: {} });
        return [await load().catch(({ message }) => message), ended];
    """
    assert run_in_node("detector.js", test, tmp_path) == ["no memory", 1]


@needs_node
@pytest.mark.parametrize(
    ("size", "expected"), [((1600, 900), [1600, 900]), ((4000, 3000), [1600, 1200]), ((1, 9000), [1, 1600])]
)
def test_a_large_photo_is_shrunk(size, expected, tmp_path):
    assert run_in_node("photo.js", f'return modules["photo.js"].fitted({size[0]}, {size[1]});', tmp_path) == expected


@needs_node
def test_the_graph_is_given_bytes_and_gives_arrays(tmp_path):
    test = """
        const ort = { Tensor: class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } } };
        let given;
        const session = {
            outputNames: ["anchors"],
            run: async (inputs) => (given = inputs, { anchors: { dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) } }),
        };
        const pixels = { width: 2, height: 1, data: Uint8ClampedArray.of(1, 2, 3, 4, 5, 6, 7, 8) };
        const { anchors } = await modules["detector_worker.js"].traceOf(ort, session, pixels, 100);
        const { pixels: one, count } = given;
        return [one.type, one.dims, [...one.data], count.type, String(count.data), anchors.shape, [...anchors.data]];
    """
    found = run_in_node("detector_worker.js", test, tmp_path)
    assert found == ["uint8", [1, 2, 4], list(range(1, 9)), "int64", "100", [1, 4], [1, 2, 3, 4]]


def test_the_runtime_becomes_a_script_that_leaves_its_exports():
    script = as_script("var a=1,$b=import.meta.url;export{a as env,$b as Tensor};\n//# sourceMappingURL=x")
    assert "import.meta" not in script and "export" not in script
    assert "return { env: a,Tensor: $b };" in script


@pytest.mark.parametrize("module", ["var a = 1;", "export{a as b};export{c as d};"])
def test_another_runtime_is_refused(module):
    with pytest.raises(DataError, match="lists of exports"):
        as_script(module)


def test_without_the_runtime_a_line_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("ONNXRUNTIME_WEB", str(tmp_path))
    assert runtime_folder() == tmp_path
    assert "npm install" in missing(tmp_path)
    for name in (MODULE, WASM):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert missing(tmp_path) == ""
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert missing(tmp_path) == (
        'the page for one\'s own photo needs onnx, not installed here; run: pip install "rcnn-tutorial[onnx]"'
    )
