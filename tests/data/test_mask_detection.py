"""Face Mask Detection: pictures with annotations of boxes."""

import io
import re

import numpy as np
import pytest
from data.face_files import encoded, found, home, people, write  # noqa: F401
from PIL import Image

from icm_jax.data import faces
from icm_jax.data.faces import mask_detection


def annotation(*objects, head=""):
    body = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, (left, top, right, bottom) in objects
    )
    return f"{head}<annotation><folder>images</folder>{body}</annotation>".encode()


def picture():
    """Columns 0 to 7 are 10, the others 200; 20 wide and 12 high."""
    pixels = np.full((12, 20), 200, np.uint8)
    pixels[:, :8] = 10
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_mask_detection_crops_faces(tmp_path, caplog):
    boxes = [("with_mask", (0, 2, 8, 10)), ("without_mask", (8, 0, 30, 12))]
    empty = ("mask_weared_incorrect", (25, 0, 30, 5))
    files = {
        "images/a.png": picture(),
        "images/b.png": picture(),
        "images/alone.png": picture(),
        "annotations/a.xml": annotation(*boxes),
        "annotations/b.xml": annotation(boxes[0], empty),
    }
    train, test = faces.load("mask_detection", write(tmp_path, files), 4)
    rows = {}
    for split in (train, test):
        assert split.images.shape[1:] == (4, 4, 1)
        for i, path in enumerate(split.attributes["path"].tolist()):
            image, mask = split.images[i], split.attributes["mask"][i].item()
            assert (image == image[0, 0]).all()
            rows.setdefault(path, []).append((int(image[0, 0, 0]), int(split.labels[i]), mask))
    # In the order of `set_apart`.
    assert rows == {
        "images/a.png": [(200, 1, "without_mask"), (10, 0, "with_mask")],
        "images/b.png": [(10, 0, "with_mask")],
    }
    # Faces of one picture are not torn apart.
    assert not set(train.attributes["path"]) & set(test.attributes["path"])
    assert "1 not called images/NAME.png and annotations/NAME.xml ('images/alone.png')" in (
        caplog.text
    )
    box = "'annotations/b.xml' line 1 has the box (25, 0, 30, 5), outside of 'images/b.png'"
    assert f"1 damaged ({box})" in caplog.text


@pytest.mark.parametrize(
    "layout",
    [
        ("{part}/images/a.png", "{part}/annotations/a.xml"),
        ("images/{part}/a.png", "annotations/{part}/a.XML"),
        ("VOC/{part}/JPEGImages/a.png", "VOC/{part}/Annotations/a.xml"),
        ("{part}/a.png", "{part}/a.xml"),
    ],
)
def test_pictures_and_annotations_pair_within_a_folder(layout, tmp_path, caplog):
    image, file = layout
    masks = {"train": "with_mask", "val": "without_mask"}
    files = {image.format(part=part): picture() for part in (*masks, "more")}
    for part, mask in masks.items():
        files[file.format(part=part)] = annotation((mask, (0, 0, 8, 8)))
    files[image.format(part="val").replace("a.png", "b.png")] = picture()
    files[file.format(part="val").replace("a.", "b.")] = annotation(("with_mask", (8, 0, 16, 8)))
    splits = faces.load("mask_detection", write(tmp_path, files), 4)
    rows = {path: row[2]["mask"] for path, row in found(splits).items()}
    assert rows == {
        image.format(part="train"): "with_mask",
        image.format(part="val"): "without_mask",
        image.format(part="val").replace("a.png", "b.png"): "with_mask",
    }
    # A picture without an annotation has none from another folder.
    assert "skipped 1 images" in caplog.text and "more" in caplog.text


def test_two_annotations_of_one_picture(tmp_path):
    files = dict.fromkeys(("a.xml", "annotations/a.xml"), annotation()) | {"a.png": picture()}
    with pytest.raises(ValueError, match="'a.xml' and 'annotations/a.xml' are both annotations of"):
        faces.load("mask_detection", write(tmp_path, files), 4)


def test_boxes_as_tools_write_them():
    edges = (" 1.6 ", "2.7\n", "8.2", "1e1")
    content = b"\xef\xbb\xbf" + annotation(("with_mask", edges))
    # Pixels that lie in the box in part belong to it.
    assert mask_detection.boxes(content, "a.xml") == [
        ("with_mask", (1, 2, 9, 10), "'a.xml' line 1")
    ]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (("x", 0, 8, 8), "line 3 has a box that is not of numbers: xmin 'x', ymin '0'"),
        (("", 0, 8, 8), "line 3 has a box that is not of numbers: xmin ''"),
        (("nan", 0, 8, 8), "line 3 has a box that is not of numbers: xmin 'nan'"),
        ((0, 0, "inf", 8), "line 3 has a box that is not of numbers"),
        (("0,5", 0, 8, 8), "line 3 has a box that is not of numbers: xmin '0,5'"),
        ((8, 0, 0, 8), r"line 3 has an empty box \(8, 0, 0, 8\)"),
        ((30, 0, 40, 8), r"line 3 has the box \(30, 0, 40, 8\), outside of 'images/b.png'"),
    ],
)
def test_a_bad_box_costs_one_face(edges, message, tmp_path, caplog):
    good = ("with_mask", (0, 2, 8, 10))
    bad = annotation(good, ("without_mask", edges)).replace(b"<object>", b"\n<object>")
    files = {"images/a.png": picture(), "images/b.png": picture()}
    files |= {"annotations/a.xml": annotation(good), "annotations/b.xml": bad}
    rows = found(faces.load("mask_detection", write(tmp_path, files), 4))
    assert {path: row[0] for path, row in rows.items()} == {"images/a.png": 10, "images/b.png": 10}
    assert re.search(f"skipped 1 images: 1 damaged .'annotations/b.xml' {message}", caplog.text)


@pytest.mark.parametrize("content", [b"", b"<annotation>", annotation()[:40], b"\xff\xfe<\x00"])
def test_a_damaged_annotation_costs_one_picture(content, tmp_path, caplog):
    files = {f"images/{name}.png": picture() for name in "abc"}
    whole = annotation(("with_mask", (0, 2, 8, 10)))
    files |= {f"annotations/{name}.xml": whole for name in "ab"} | {"annotations/c.xml": content}
    assert set(found(faces.load("mask_detection", write(tmp_path, files), 4))) == {
        "images/a.png",
        "images/b.png",
    }
    assert "1 damaged ('annotations/c.xml' is not a usable annotation" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            annotation(head='<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
            "a.xml' is not a usable annotation: document types are not allowed",
        ),
        (b"<annotation>", "a.xml' is not a usable annotation: no element"),
        (
            annotation(("with_mask", ("x", 0, 1, 1))),
            "a.xml' line 1 has a box that is not of numbers: xmin 'x'",
        ),
        (
            annotation(("hat", (0, 0, 1, 1))),
            "a.xml' line 1 has an object 'hat'; it must be one of mask",
        ),
        ("<?xml version='1.0'?><annotation/>".encode("utf-16"), "not a usable annotation"),
    ],
)
def test_annotations_without_trust(content, message, tmp_path):
    files = {"images/a.png": picture(), "annotations/a.xml": content}
    with pytest.raises(ValueError, match=message):
        faces.load("mask_detection", write(tmp_path, files), 4)
