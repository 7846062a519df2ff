"""Bad photographs and videos."""

import zlib

import numpy as np
from mishaps import mishap
from odd_media import with_damaged_notes
from photographs import LANDSCAPE, PORTRAIT, VIDEO, real
from PIL import Image
from spoilt_runs import predicted

MEDIA = "photograph or video"


@mishap(MEDIA)
def there_is_no_such_file(folder):
    return predicted(folder, "gone.jpg")


@mishap(MEDIA)
def a_folder_of_photographs(folder):
    (folder / "photographs").mkdir()
    return predicted(folder, "photographs")


@mishap(MEDIA)
def an_empty_file(folder):
    (folder / "face.png").touch()
    return predicted(folder, "face.png")


@mishap(MEDIA)
def a_text(folder):
    (folder / "face.png").write_text("no picture here\n" * 99)
    return predicted(folder, "face.png")


@mishap(MEDIA)
def a_text_that_begins_like_a_picture(folder):
    (folder / "subjects.txt").write_text("P5 was the fifth subject\n")
    return predicted(folder, "subjects.txt")


@mishap(MEDIA)
def grey_values_whose_white_is_unknown(folder):
    Image.fromarray(np.zeros((9, 9), np.float32)).save(folder / "face.tif")
    return predicted(folder, "face.tif")


@mishap(MEDIA)
def a_format_that_is_not_read(folder):
    (folder / "face.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(999))
    return predicted(folder, "face.heic")


@mishap(MEDIA)
def nobody_in_the_picture(folder):
    (folder / "landscape.jpg").write_bytes(real(LANDSCAPE).read_bytes())
    return predicted(folder, "landscape.jpg")


@mishap(MEDIA)
def a_damaged_photograph(folder):
    (folder / "half.jpg").write_bytes(real(PORTRAIT).read_bytes()[:30_000])
    return predicted(folder, "half.jpg")


@mishap(MEDIA)
def a_photograph_whose_notes_are_damaged(folder):
    with_damaged_notes(folder / "notes.jpg")
    return predicted(folder, "notes.jpg")


@mishap(MEDIA)
def a_photograph_that_would_fill_the_memory(folder):
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / "bomb.png")
    content = bytearray((folder / "bomb.png").read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(content)
    return predicted(folder, "bomb.png")


@mishap(MEDIA)
def a_damaged_video(folder):
    content = real(VIDEO).read_bytes()
    (folder / "half.mp4").write_bytes(content[: len(content) // 2])
    return predicted(folder, "half.mp4")


@mishap(MEDIA)
def the_answer_would_replace_the_photograph(folder):
    return predicted(folder, "face.jpg", "--out", folder / "face.jpg")


@mishap(MEDIA)
def the_answer_would_replace_a_folder(folder):
    (folder / "answers").mkdir()
    return predicted(folder, "face.jpg", "--out", folder / "answers")


@mishap(MEDIA)
def the_folder_of_the_answer_is_missing(folder):
    return predicted(folder, "face.jpg", "--out", folder / "answers" / "faces.csv")


@mishap(MEDIA)
def an_overlay_of_another_kind(folder):
    return predicted(folder, "face.jpg", "--out", folder / "faces.csv", "--overlay", folder / "faces.mp4")
