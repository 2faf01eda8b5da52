"""VOC folders as other tools and systems write them: each gives the one photo and its object, or one clear line."""

import os
import unicodedata

import pytest
from PIL import Image

from rcnn_tutorial.data.voc import VocFolder
from rcnn_tutorial.errors import DataError

BOX = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
SIZE = "<size><width>80</width><height>60</height></size>"
OBJECT = f"<object><name>cat</name>{BOX}</object>"
XML = f"<annotation>{SIZE}{OBJECT}</annotation>"
CAFE = "caf\u00e9"
CAFE_APART = unicodedata.normalize("NFD", CAFE)


def write(root, photos=("a.jpg",), xmls=None, train="a\n", **more):
    """A VOC folder; `xmls` {name below Annotations: text or bytes}, `train` the list's text or bytes."""
    files = {f"Annotations/{name}": content for name, content in (xmls or {"a.xml": XML}).items()}
    files |= {"ImageSets/Main/train.txt": train} | more
    for name, content in files.items():
        path = root / os.fsdecode(name.encode())  # in UTF-8, whatever the locale
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (root / "JPEGImages").mkdir(exist_ok=True)
    for name in photos:
        path = root / "JPEGImages" / os.fsdecode(name.encode())
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 60), "red").save(path)
    return root


def named(filename):
    return XML.replace("<size>", f"<filename>{filename}</filename><size>")


def declared(encoding, text=XML):
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'


PHOTOS = {
    "upper-case ending": {"photos": ["a.JPG"]},
    "jpeg ending": {"photos": ["a.jpeg"], "xmls": {"a.xml": named("a.jpg")}},
    "other case": {"photos": ["IMG_1.jpg"], "xmls": {"img_1.xml": XML}, "train": "Img_1\n"},
    "taken apart by macOS": {"photos": [f"{CAFE_APART}.jpg"], "xmls": {f"{CAFE}.xml": XML}, "train": f"{CAFE}\n"},
    "put together by Linux": {"photos": [f"{CAFE}.jpg"], "xmls": {f"{CAFE_APART}.xml": XML}, "train": f"{CAFE}\n"},
    "points in the name": {"photos": ["IMG.2020.01.png"], "xmls": {"IMG.2020.01.xml": XML}, "train": "IMG.2020.01"},
    "spaces in the name": {"photos": ["my photo 1.jpg"], "xmls": {"my photo 1.xml": XML}, "train": "my photo 1\n"},
    "spaces and a column": {"photos": ["my photo.jpg"], "xmls": {"my photo.xml": XML}, "train": "my photo -1\n"},
    "Chinese": {"photos": ["\u82f9\u679c.png"], "xmls": {"\u82f9\u679c.xml": XML}, "train": "\u82f9\u679c\n"},
    "three folders deep": {"photos": ["x/y/z/1.jpg"], "xmls": {"x/y/z/1.xml": XML}, "train": "x\\y\\z\\1\r\n"},
    "filename alone": {"photos": ["photo 7.png"], "xmls": {"a.xml": named("D:\\data\\Photo 7.PNG")}},
    "filename with folder": {"photos": ["day/7.png"], "xmls": {"a.xml": named("JPEGImages/day/7.png")}},
    "filename of another machine": {"photos": ["day/7.png"], "xmls": {"a.xml": named("/home/me/voc/day/7.png")}},
    "filename decides": {"photos": ["a.jpg", "a.png"], "xmls": {"a.xml": named("a.png")}},
    "very long name": {"photos": [f"{'x' * 200}.jpg"], "xmls": {f"{'x' * 200}.xml": XML}, "train": "x" * 200},
    "XML ending in capitals": {"xmls": {"a.XML": XML}},
}
LISTS = {
    "CRLF and a mark": {"train": "\ufeffa\r\n\r\n"},
    "PowerShell's UTF-16": {"train": "a\r\n".encode("utf-16")},
    "big-endian": {"train": b"\xfe\xff" + "a\n".encode("utf-16-be")},
    "old Mac": {"train": "a\ra\r"},
    "names of photos": {"train": "a.jpg\n"},
    "names of annotations": {"train": "Annotations/a.xml\n"},
    "paths of Windows": {"train": "C:\\Users\\me\\voc\\JPEGImages\\a.jpg\n"},
    "paths of Linux": {"train": "/home/me/voc/JPEGImages/a.jpg\n"},
    "dot in front": {"train": "./a\n"},
    "listed twice": {"train": "a\na\n./a.jpg\n"},
    "macOS's twin": {"train": "._a\na\n", "Annotations/._a.xml": b"\0\5\x16\7"},
    "list ending in capitals": {"train": "x", "ImageSets/Main/TRAIN.txt": "a", "split": "TRAIN"},
    "unpacked twice by macOS": {
        f"__MACOSX/{folder}/._a": b"\0" for folder in ("Annotations", "JPEGImages", "ImageSets/Main")
    },
}
XMLS = {
    "mark": b"\xef\xbb\xbf" + declared("utf-8").encode(),
    "UTF-16": declared("utf-16").encode("utf-16"),
    "UTF-16 without a mark": declared("utf-16").encode("utf-16-le"),
    "declared UTF-16, is UTF-8": declared("utf-16"),
    "Chinese code page": declared("gb2312", XML.replace("<size>", "<folder>\u82f9\u679c</folder><size>")).encode("gbk"),
    "Latin-1": declared("ISO-8859-1", XML.replace("<size>", f"<folder>{CAFE}</folder><size>")).encode("latin-1"),
    "blank lines first": "\r\n  " + declared("utf-8"),
    "CRLF and tabs": XML.replace(">", ">\r\n\t"),
    "fractions": XML.replace(">11<", ">11.0<").replace(">40<", "> 4e1 <"),
    "size missing": XML.replace(SIZE, ""),
    "size zero": XML.replace(">80<", ">0<"),
    "size with fractions": XML.replace(">80<", ">80.0<"),
    "the same object twice": XML.replace(OBJECT, OBJECT * 2),
}
CASES = PHOTOS | LISTS | {f"XML: {name}": {"xmls": {"a.xml": content}} for name, content in XMLS.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("classes", [None, ["cat"]])
def test_found_and_read(tmp_path, name, classes):
    case = dict(CASES[name])
    split = case.pop("split", "train")
    dataset = VocFolder(write(tmp_path / "voc", **case), split, classes)
    assert len(dataset) == 1 and dataset.classes == ("cat",)
    image, target = dataset[0]
    assert image.shape == (3, 60, 80)
    assert target["boxes"].tolist() == [[10, 20, 30, 40]] and target["difficult"].tolist() == [False]


def test_a_folder_above_two_copies_of_which_one_is_macos_s(tmp_path):
    for folder in ("VOC2007", "__MACOSX"):
        write(tmp_path / "kit" / folder)
    assert len(VocFolder(tmp_path / "kit", classes=None)) == 1


def test_folders_in_another_case(tmp_path):
    root = write(tmp_path / "voc")
    for name, other in (("JPEGImages", "jpegimages"), ("Annotations", "annotations"), ("ImageSets", "Imagesets")):
        (root / name).rename(root / other)
    assert VocFolder(tmp_path, classes=None)[0][1]["boxes"].tolist() == [[10, 20, 30, 40]]
    (tmp_path / "second" / "JPEGImages").mkdir(parents=True)
    with pytest.raises(DataError, match="second: not a VOC folder; .* and lacks Annotations, ImageSets/Main$"):
        VocFolder(tmp_path / "second")


def test_classes_that_differ_in_case_are_told(tmp_path, caplog):
    both = XML.replace(OBJECT, OBJECT + OBJECT.replace("cat", "Cat").replace(">11<", ">12<"))
    assert VocFolder(write(tmp_path, xmls={"a.xml": both}), classes=None).classes == ("Cat", "cat")
    assert "the classes ['Cat', 'cat'] differ in case alone" in caplog.text


def test_links_and_read_only_folders(tmp_path):
    root = write(tmp_path / "voc", photos=[])
    Image.new("RGB", (80, 60)).save(tmp_path / "elsewhere.png")
    (root / "JPEGImages" / "a.png").symlink_to(tmp_path / "elsewhere.png")
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).chmod(0o555)
    assert VocFolder(root, classes=None)[0][0].shape == (3, 60, 80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, False), ("", False), ("0", False), ("0.0", False), ("False", False), ("Unspecified", False),
        ("1", True), (" 1 ", True), ("1.0", True), ("True", True), ("yes", True), ("2", True),
    ],
)  # fmt: skip
def test_difficult(tmp_path, text, expected):
    flag = "" if text is None else f"<difficult>{text}</difficult>"
    root = write(tmp_path, xmls={"a.xml": XML.replace(BOX, flag + BOX)})
    assert VocFolder(root, classes=None)[0][1]["difficult"].tolist() == [expected]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("\u82f9\u679c", "\u82f9\u679c"),
        ("\u062a\u0641\u0627\u062d", "\u062a\u0641\u0627\u062d"),
        ("\u0938\u0947\u092c", "\u0938\u0947\u092c"),
        ("\u0645\u06cc\u200c\u0648\u0647", "\u0645\u06cc\u200c\u0648\u0647"),  # Persian, with a joiner
        ("\U0001f408\u200d\u2b1b", "\U0001f408\u200d\u2b1b"),  # black cat
        (CAFE_APART, CAFE),
        ("big\u00a0cat", "big cat"),
        ("\ufeffcat\u200b", "cat"),
        ("\n  cat\n", "cat"),
        ("7", "7"),
        ("cat &amp; dog", "cat & dog"),
    ],
)
def test_class_names_of_any_script(tmp_path, written, name):
    root = write(tmp_path, xmls={"a.xml": XML.replace("cat", written)})
    assert VocFolder(root, classes=None).classes == (name,)
    given = unicodedata.normalize("NFD", name)
    dataset = VocFolder(root, classes=["other", given])  # as a terminal may send it
    assert dataset[0][1]["labels"].tolist() == [2] and dataset.classes == ("other", given)


MESSAGES = {
    "no name": (XML.replace("cat", " "), "a.xml: object 1 has the name ' '; give its class"),
    "no name at all": (XML.replace("<name>cat</name>", ""), "a.xml: object 1 has the name ''; give its class"),
    "control character": (XML.replace("cat", "c&#9;t"), r"a.xml: object 1 has the name 'c\\tt'"),
    "text turned around": (XML.replace("cat", "\u202etac"), r"a.xml: object 1 has the name '\\u202etac'"),
    "no box": (XML.replace(BOX, ""), "a.xml: the bndbox of object 1 lacks xmin; give it as a number"),
    "a word": (XML.replace(">30<", ">thirty<"), "a.xml: the bndbox of object 1 has the xmax 'thirty'; give"),
    "decimal comma": (XML.replace(">30<", ">30,5<"), "a.xml: the bndbox of object 1 has the xmax '30,5'; give"),
    "flag": (
        XML.replace(BOX, f"<difficult>perhaps</difficult>{BOX}"),
        "object 1 has <difficult> 'perhaps'; write 0 or",
    ),
    "truncated": (XML[:100], "a.xml: not a readable XML file .*; write it again"),
    "empty file": ("", "a.xml: not a readable XML file .*; write it again"),
    "code page not declared": (
        XML.replace("cat", CAFE).encode("latin-1"),
        "a.xml: not in the encoding it declares, or UTF-8 .*; save it in UTF-8",
    ),
    "unknown encoding": (declared("klingon"), "a.xml: not a readable XML file .*klingon.*; write it again"),
    "another root": ("<doc/>", "a.xml: its root is 'doc'; a VOC file starts with <annotation>"),
    "other photo's size": (
        XML.replace(">80<", ">90<"),
        "boxes are for 90 x 60 pixels, but .*a.jpg shows 80 x 60; corr",
    ),
    "size swapped": (XML.replace(">80<", ">6<").replace(">60<", ">80<").replace(">6<", ">60<"), "; swap width and he"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(tmp_path, name):
    content, words = MESSAGES[name]
    root = write(tmp_path, xmls={"a.xml": content})
    with pytest.raises(DataError, match=words) as caught:
        VocFolder(root, classes=None)[0]
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"train": "b\n"}, r"train.txt: no file 'b.xml' in .*Annotations; add the file or remove the entry"),
        ({"train": "a b\n"}, r"train.txt: no file 'a b.xml' in .*Annotations; add"),
        ({"train": "..\\a\n"}, r"train.txt: '..\\\\a.xml' leads out of .*; use a path relative"),
        ({"train": "/etc/passwd\n"}, r"train.txt: '/etc/passwd.xml' leads out of .*; copy the file there"),
        ({"photos": []}, r"a.xml: no file 'a.jpg' in .*JPEGImages; add the file or remove the entry"),
        ({"photos": ["a.png", "a.tif"]}, r"a.xml: 'a' may be a.png or a.tif in .*JPEGImages; remove all but one"),
        ({"xmls": {"a.xml": XML, "b.xml": named("a.jpg")}, "train": "a\nb\n"}, r"a.jpg: annotated twice, in .*a.xml"),
        ({"xmls": {"a.xml": "<annotation/>"}}, r"its classes are \(\), since it has no objects; annotate some"),
        ({"train": b"a\xff\n"}, r"train.txt: cannot be read .*; list one image name a line, in UTF-8"),
        ({"train": ""}, r"train.txt: the split is empty; list at least one"),
    ],
)
def test_messages_about_files(tmp_path, case, words):
    with pytest.raises(DataError, match=words) as caught:
        VocFolder(write(tmp_path, **case), classes=None)[0]
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 700
